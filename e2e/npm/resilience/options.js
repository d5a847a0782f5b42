import { inWindow } from "../check.js";

export default {
  "options that make no sense leave the defaults as they are": async (t) => {
    const socket = t.ever("/echo", {
      backoff: 1_000,
      outbox: { maxMessages: -1, max: 5, whenFull: "explode" },
      watermarks: { high: NaN, top: 1 },
      heartbeat: { silence: "soon" },
      connectTimeout: -1,
      closeTimeout: "soon",
    });
    await t.next(socket, "open");
    t.equal(socket.send("x"), "sent", "outcome");
    t.equal((await t.next(socket, "message")).data, "x", "data");
  },
  "an option that is undefined is left out, also until the wasm module is there": async (t) => {
    // Under an address of its own it is an instance of the package that has yet to load its module.
    const { EverSocket } = await import("/everwire/index.js?left-out");
    const outbox = { maxMessages: undefined, maxBytes: undefined, whenFull: undefined, timeToLive: undefined };
    const socket = t.track(new EverSocket(t.at("/echo"), [], { outbox, heartbeat: { afterSilence: undefined, sampleEvery: 1 } }));
    const outcomes = Array.from({ length: 4_097 }, () => socket.send("x"));
    t.equal(outcomes.slice(-2), ["queued", "refused"], "outcomes");
    await t.next(socket, "latency");
  },
  "options that it does not know are left alone, beside the groups": async (t) => {
    await t.next(t.ever("/echo", { maxPayload: 1, rejectUnauthorized: false }), "open");
  },
  "with() gives a class with options of its own, that can be extended": async (t) => {
    const Mine = t.Socket.with({ outbox: { maxMessages: 1 } });
    const socket = new (class extends Mine {})(t.at("/echo"));
    t.after(() => socket.close());
    t.equal([socket.send("a"), socket.send("b")], ["queued", "refused"], "outcomes");
    t.ok(socket instanceof t.Socket && socket instanceof Mine, "being of both classes");
    t.equal([Mine.name, Mine.length, Mine.OPEN], ["EverSocket", 1, 1], "name, length and a constant");
  },
  "with() upon with() adds": async (t) => {
    const Mine = t.Socket.with({ outbox: { maxMessages: 1 } }).with({ backoff: { maxRetries: 0 } });
    const socket = new Mine(t.at("/refuse", { status: 503 }));
    t.equal([socket.send("a"), socket.send("b")], ["queued", "refused"], "outcomes");
    await t.next(socket, "close");
  },
  "options of the call outweigh those of the class": async (t) => {
    const Mine = t.Socket.with({ outbox: { maxMessages: 1 } });
    const socket = new Mine(t.at("/echo"), [], { outbox: { maxMessages: 2 } });
    t.after(() => socket.close());
    t.equal([socket.send("a"), socket.send("b"), socket.send("c")], ["queued", "queued", "refused"], "outcomes");
  },
  "a class from with() has constants and attributes of its own, and constants that cannot be redefined": (t) => {
    for (const Class of [t.Socket, t.Socket.with({}), t.Socket.with({ reconnect: false }), class extends t.Socket {}.with({})]) {
      for (const holder of [Class, Class.prototype]) {
        t.equal(Object.getOwnPropertyDescriptor(holder, "OPEN"), { value: 1, writable: false, enumerable: true, configurable: false }, "a constant");
        t.throws("TypeError", () => Object.defineProperty(holder, "OPEN", { value: 2 }));
      }
      const { enumerable, configurable, set } = Object.getOwnPropertyDescriptor(Class.prototype, "readyState");
      t.equal([enumerable, configurable, set], [true, true, undefined], "an attribute");
      t.ok(Object.hasOwn(Class.prototype, "onmessage"), "having an attribute that can be set");
    }
  },
  "with({ reconnect: false }) is the browser's own class, and one connection": async (t) => {
    const socket = t.track(new (t.Socket.with({ reconnect: false }))(t.at("/gone")));
    t.ok(socket instanceof WebSocket && socket instanceof t.Socket, "being of both classes");
    t.equal((await t.next(socket, "close")).code, 1006, "code");
  },
  "the option reconnect: false is one connection, whose drop is a close": async (t) => {
    const socket = t.dial(t.at("/gone"), [], { reconnect: false });
    const log = t.log(socket, ["open", "error", "close", "reconnecting"]);
    t.throws("InvalidStateError", () => socket.send("x"));
    const { code, wasClean } = await t.next(socket, "close");
    await t.turn(10);
    t.equal([code, wasClean, socket.readyState, log.at(-1), log.includes("reconnecting")], [1006, false, 3, "close", false], "the end");
    t.equal(socket.send("x"), undefined, "what send says");
  },
  "a subclass stays one with reconnect: false, whether by the option or by with()": async (t) => {
    class Mine extends t.Socket {
      constructor(url, protocols, options) {
        super(url, protocols, { reconnect: false, ...options });
      }
      say(text) {
        this.send(`mine: ${text}`);
      }
    }
    const url = t.at("/echo");
    const sockets = [new Mine(url), new (Mine.with({ reconnect: false }))(url), new (class extends t.Socket.with({ reconnect: false }) {
      say = Mine.prototype.say;
    })(url)];
    for (const socket of sockets.map((socket) => t.track(socket))) {
      t.ok(socket instanceof t.Socket && socket.constructor !== t.Socket, "being of its class");
      await socket.ready();
      socket.binaryType = "arraybuffer";
      socket.say("hello");
      t.equal((await t.next(socket, "message")).data, "mine: hello", "data");
      t.equal([socket.url, socket.readyState, socket.protocol, socket.binaryType], [url, 1, "", "arraybuffer"], "attributes");
    }
    t.ok(sockets[0] instanceof Mine && sockets[1] instanceof Mine, "being of the application's class");
  },
  "a change of the prototype reaches a socket that does not reconnect": async (t) => {
    const { send } = t.Socket.prototype;
    t.after(() => (t.Socket.prototype.send = send));
    const sent = [];
    t.Socket.prototype.send = function (data) {
      sent.push(data);
      return send.call(this, data);
    };
    const socket = t.dial(t.at("/echo"), [], { reconnect: false });
    await t.next(socket, "open");
    socket.send("by the changed one");
    t.equal([(await t.next(socket, "message")).data, sent.at(-1)], ["by the changed one", "by the changed one"], "data and what was seen");
  },
  "a socket that does not reconnect has the further methods too": async (t) => {
    const controller = new AbortController();
    const options = { reconnect: false, signal: controller.signal };
    for (const socket of [new t.Socket(t.at("/echo"), [], options), new (t.Socket.with(options))(t.at("/echo"))]) {
      await socket.ready();
      const loop = socket.json()[Symbol.asyncIterator]();
      const first = loop.next();
      socket.json().send({ a: 1 });
      t.equal((await first).value.a, 1, "value");
    }
    const socket = t.dial(t.at("/echo"), [], options);
    await socket.ready();
    controller.abort();
    await socket[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
    socket.reconnect();
    t.equal([socket.readyState, await socket.ready().catch(({ name }) => name)], [3, "InvalidStateError"], "error of ready");
  },
  "debug logs each attempt and each event but messages, all with one prefix": async (t) => {
    const printed = t.printed("debug");
    const socket = t.ever("/echo", { debug: true });
    await t.next(socket, "open");
    socket.send("x");
    await t.next(socket, "message");
    const back = t.next(socket, "reconnected");
    await t.server("cut");
    await back;
    socket.close();
    await t.next(socket, "close");
    const types = ["connecting", "open", "reconnecting", "connecting", "open", "reconnected", "close"];
    t.equal(printed.map(([text]) => text), types.map((type) => `[everwire] ${type}`), "texts");
    t.equal(printed.map(([, { type }]) => type), types, "events");
  },
  "without debug nothing is logged": async (t) => {
    const printed = t.printed("debug");
    const socket = t.ever();
    await t.next(socket, "open");
    socket.close();
    await t.next(socket, "close");
    t.equal(printed, [], "texts");
  },
  "another class can be passed in": async (t) => {
    const made = [];
    class Mine extends WebSocket {
      constructor(...args) {
        super(...args);
        made.push(args.length);
      }
    }
    await t.next(t.ever("/echo", { WebSocket: Mine }), "open");
    await t.next(t.ever("/echo", { WebSocket: Mine }, {}, ["chat"]), "open");
    t.equal(made, [1, 2], "how many arguments it was given");
  },
  "a class of another realm can be passed in, whose messages keep all that they say": inWindow(async (t) => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    t.after(() => frame.remove());
    const socket = t.ever("/greet", { WebSocket: frame.contentWindow.WebSocket });
    const { data, isTrusted, origin, target } = await t.next(socket, "message");
    t.equal([data, isTrusted, origin, target === socket], ["hello", true, location.origin.replace("http", "ws"), true], "the event");
  }),
  "an address or a subprotocol that cannot be is an error at once": (t) => {
    t.throws("SyntaxError", () => new t.Socket("ftp://localhost"));
    t.throws("SyntaxError", () => new t.Socket(t.at("/echo"), ["a", "a"]));
  },
};
