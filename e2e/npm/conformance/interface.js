import { differs } from "../check.js";

const states = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
const readOnly = ["url", "readyState", "bufferedAmount", "extensions", "protocol"];
const writable = ["onopen", "onerror", "onclose", "onmessage", "binaryType"];
const methods = { send: 1, close: 0 };

const own = (object, name) => Object.getOwnPropertyDescriptor(object, name);

/** A property of the class, or of one that it extends. */
function inherited(object, name) {
  for (let holder = object; holder && holder !== EventTarget.prototype; holder = Object.getPrototypeOf(holder)) {
    if (Object.hasOwn(holder, name)) {
      return own(holder, name);
    }
  }
  throw new Error(`${String(name)} is not there`);
}
const flags = ({ writable, enumerable, configurable }) => ({ writable, enumerable, configurable });

export default {
  "it is an instance of the browser's class": differs("instanceof WebSocket", (t) =>
    t.ok(t.dial(t.at("/echo")) instanceof WebSocket, "being a WebSocket")),
  "its name is EverSocket, or that of the browser's class": (t) =>
    t.equal(t.Socket.name, t.Socket === WebSocket ? "WebSocket" : "EverSocket", "name"),
  "it inherits from EventTarget": (t) => {
    t.ok(EventTarget.prototype.isPrototypeOf(t.Socket.prototype), "inheriting from EventTarget.prototype");
    t.ok(EventTarget.isPrototypeOf(t.Socket), "inheriting from EventTarget");
    t.ok(t.dial(t.at("/echo")) instanceof EventTarget, "being an EventTarget");
  },
  "the class takes one argument that is required": (t) => t.equal(t.Socket.length, 1, "length"),
  "prototype of the class cannot be changed": (t) =>
    t.equal(flags(own(t.Socket, "prototype")), { writable: false, enumerable: false, configurable: false }, "flags"),
  "constructor of the prototype is the class": (t) => {
    t.equal(t.Socket.prototype.constructor, t.Socket, "constructor");
    t.equal(flags(own(t.Socket.prototype, "constructor")), { writable: true, enumerable: false, configurable: true }, "flags");
  },
  "it says that it is a WebSocket": (t) => {
    const tag = inherited(t.Socket.prototype, Symbol.toStringTag);
    t.equal(tag.value, "WebSocket", "tag");
    t.equal(flags(tag), { writable: false, enumerable: false, configurable: true }, "flags");
    t.equal(String(t.dial(t.at("/echo"))), "[object WebSocket]", "text");
  },
  "name and length of the class are no enumerable properties": (t) => {
    t.equal(Object.keys(t.Socket).filter((key) => !(key in states)).filter((key) => key in WebSocket), [], "keys");
  },
  ...Object.fromEntries(
    Object.entries(states).map(([name, value]) => [
      `${name} is a constant of the class itself and of the prototype, and one of the instance`,
      (t) => {
        for (const holder of [t.Socket, t.Socket.prototype]) {
          const constant = own(holder, name);
          t.equal(constant.value, value, "value");
          t.equal(flags(constant), { writable: false, enumerable: true, configurable: false }, "flags");
        }
        const socket = t.dial(t.at("/echo"));
        t.equal(socket[name], value, "value of the instance");
        t.ok(!Object.hasOwn(socket, name), "inheriting it");
        t.throws("TypeError", () => {
          "use strict";
          socket[name] = 9;
        });
      },
    ]),
  ),
  ...Object.fromEntries(
    readOnly.map((name) => [
      `${name} is an accessor of the prototype itself that cannot be set`,
      (t) => {
        const { get, set, enumerable, configurable } = own(t.Socket.prototype, name);
        t.equal(typeof get, "function", "getter");
        t.equal(set, undefined, "setter");
        t.ok(enumerable && configurable, "being enumerable and configurable");
        t.equal([get.name, get.length], [`get ${name}`, 0], "name and length of the getter");
        const socket = t.dial(t.at("/echo"));
        const before = socket[name];
        t.throws("TypeError", () => {
          "use strict";
          socket[name] = "changed";
        });
        t.equal(socket[name], before, "value");
      },
    ]),
  ),
  ...Object.fromEntries(
    writable.map((name) => [
      `${name} is an accessor of the prototype itself that can be set`,
      (t) => {
        const { get, set, enumerable, configurable } = own(t.Socket.prototype, name);
        t.ok(enumerable && configurable, "being enumerable and configurable");
        t.equal([get.name, get.length], [`get ${name}`, 0], "name and length of the getter");
        t.equal([set.name, set.length], [`set ${name}`, 1], "name and length of the setter");
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(methods).map(([name, length]) => [
      `${name} is a method of the prototype`,
      (t) => {
        const method = inherited(t.Socket.prototype, name);
        t.equal(flags(method), { writable: true, enumerable: true, configurable: true }, "flags");
        t.equal([method.value.name, method.value.length], [name, length], "name and length");
        t.throws("TypeError", () => new method.value("x"), `new ${name}`);
      },
    ]),
  ),
  "its attributes and methods are found by for-in": (t) => {
    const found = new Set();
    for (const name in t.dial(t.at("/echo"))) {
      found.add(name);
    }
    const expected = [...readOnly, ...writable, ...Object.keys(methods), ...Object.keys(states), "addEventListener", "dispatchEvent"];
    t.equal(expected.filter((name) => !found.has(name)), [], "what is missing");
  },
  "an instance has no enumerable property of its own": (t) => t.equal(Object.keys(t.dial(t.at("/echo"))), [], "keys"),
  "an instance has no property of its own": (t) => t.equal(Reflect.ownKeys(t.dial(t.at("/echo"))).map(String), [], "keys"),
  "accessors and methods on what is no socket are a TypeError": (t) => {
    for (const name of [...readOnly, ...writable]) {
      t.throws("TypeError", () => own(t.Socket.prototype, name).get.call({}), `the getter ${name}`);
    }
    for (const name of writable) {
      t.throws("TypeError", () => own(t.Socket.prototype, name).set.call({}, null), `the setter ${name}`);
    }
    for (const name of Object.keys(methods)) {
      t.throws("TypeError", () => t.Socket.prototype[name].call({}, "x"), name);
    }
  },
  "accessors on the prototype itself are a TypeError": (t) => {
    for (const name of [...readOnly, ...writable]) {
      t.throws("TypeError", () => t.Socket.prototype[name], name);
    }
  },
  "a property of its own can be added to an instance": (t) => {
    const socket = t.dial(t.at("/echo"));
    socket.mine = 1;
    t.equal(Object.keys(socket), ["mine"], "keys");
  },
  "a method of the prototype can be replaced": async (t) => {
    class Mine extends t.Socket {}
    const sent = [];
    Mine.prototype.send = function (data) {
      sent.push(data);
      return t.Socket.prototype.send.call(this, data);
    };
    const socket = new Mine(t.at("/echo"));
    await t.next(socket, "open");
    socket.send("x");
    t.equal((await t.next(socket, "message")).data, "x", "data");
    t.equal(sent, ["x"], "what was seen");
    socket.close();
  },
  "it cannot be cloned": (t) => void t.throws("DataCloneError", () => structuredClone(t.dial(t.at("/echo")))),
  "it is written as an empty object in JSON": (t) =>
    t.equal(JSON.stringify(t.dial(t.at("/echo"))), JSON.stringify(new EventTarget()), "JSON"),
};
