const names = ["onopen", "onmessage", "onerror", "onclose"];

/** Dispatches an event of ours, so that a handler can be looked at without a network. */
const fire = (socket, type, init) => socket.dispatchEvent(new Event(type, init));

const tests = (type, on = `on${type}`) => ({
  "an object as handler is not called, also with handleEvent": (t) => {
    const socket = t.dial(t.at("/greet"));
    let called = false;
    socket[on] = { handleEvent: () => (called = true) };
    fire(socket, type);
    t.ok(!called, "calling nothing");
  },
  "a handler takes the place of its first setting among the listeners": (t) => {
    const socket = t.dial(t.at("/greet"));
    const order = [];
    socket.addEventListener(type, () => order.push("first"));
    socket[on] = () => order.push("old");
    socket.addEventListener(type, () => order.push("last"));
    socket[on] = () => order.push("new");
    fire(socket, type);
    t.equal(order, ["first", "new", "last"], "order");
  },
  "a handler that was taken off and set again comes last": (t) => {
    const socket = t.dial(t.at("/greet"));
    const order = [];
    socket[on] = () => order.push("old");
    socket.addEventListener(type, () => order.push("listener"));
    socket[on] = null;
    socket[on] = () => order.push("new");
    fire(socket, type);
    t.equal(order, ["listener", "new"], "order");
  },
  "a handler that was an object keeps its place when it becomes a function": (t) => {
    const socket = t.dial(t.at("/greet"));
    const order = [];
    socket[on] = {};
    socket.addEventListener(type, () => order.push("listener"));
    socket[on] = () => order.push("handler");
    fire(socket, type);
    t.equal(order, ["handler", "listener"], "order");
  },
  "a handler that is set to null is not called": (t) => {
    const socket = t.dial(t.at("/greet"));
    let called = false;
    socket[on] = () => (called = true);
    socket[on] = null;
    fire(socket, type);
    t.ok(!called, "calling nothing");
  },
  "a handler that is taken off by a listener before it is not called": (t) => {
    const socket = t.dial(t.at("/greet"));
    let called = false;
    socket.addEventListener(type, () => (socket[on] = null));
    socket[on] = () => (called = true);
    fire(socket, type);
    t.ok(!called, "calling nothing");
  },
  "a handler that is replaced by a listener before it is called as the new one": (t) => {
    const socket = t.dial(t.at("/greet"));
    const called = [];
    socket.addEventListener(type, () => (socket[on] = () => called.push("new")));
    socket[on] = () => called.push("old");
    fire(socket, type);
    t.equal(called, ["new"], "called");
  },
  "a handler that is set for the first time during the event is not called for it": (t) => {
    const socket = t.dial(t.at("/greet"));
    let calls = 0;
    socket.addEventListener(type, () => (socket[on] ??= () => (calls += 1)));
    fire(socket, type);
    t.equal(calls, 0, "calls");
    fire(socket, type);
    t.equal(calls, 1, "calls");
  },
  "a handler cannot be taken off with removeEventListener": (t) => {
    const socket = t.dial(t.at("/greet"));
    let called = false;
    const handler = () => (called = true);
    socket[on] = handler;
    socket.removeEventListener(type, handler);
    fire(socket, type);
    t.ok(called, "calling it");
  },
  "the same function as handler and listener is called twice": (t) => {
    const socket = t.dial(t.at("/greet"));
    let calls = 0;
    const both = () => (calls += 1);
    socket[on] = both;
    socket.addEventListener(type, both);
    fire(socket, type);
    t.equal(calls, 2, "calls");
  },
  "a handler that returns false prevents the default of an event that can be cancelled": (t) => {
    const socket = t.dial(t.at("/greet"));
    socket[on] = () => false;
    t.equal(fire(socket, type, { cancelable: true }), false, "what dispatchEvent returns");
    t.equal(fire(socket, type), true, "what dispatchEvent returns where it cannot be cancelled");
  },
  "a handler that returns true or nothing prevents nothing": (t) => {
    const socket = t.dial(t.at("/greet"));
    for (const value of [true, undefined, null, 0, ""]) {
      socket[on] = () => value;
      t.equal(fire(socket, type, { cancelable: true }), true, `what dispatchEvent returns for ${String(value)}`);
    }
  },
  "an exception in a handler is reported, and the others are called": async (t) => {
    const mine = new Error("mine, from a handler");
    const reported = t.reported((error) => error === mine);
    const socket = t.dial(t.at("/greet"));
    let called = false;
    socket[on] = () => {
      throw mine;
    };
    socket.addEventListener(type, () => (called = true));
    await t.next(socket, type);
    t.ok(called, "calling the next listener");
    t.equal(reported.length, 1, "reports");
    t.equal(socket.readyState, 1, "readyState");
  },
  "handlers of one socket are not those of another": (t) => {
    const [one, other] = [t.dial(t.at("/greet")), t.dial(t.at("/greet"))];
    let called = false;
    one[on] = () => (called = true);
    fire(other, type);
    t.ok(!called, "calling nothing");
    t.equal(other[on], null, "the other's handler");
  },
});

export default {
  ...Object.fromEntries(
    names.map((name) => [
      `${name} holds a function, an object or null`,
      (t) => {
        const socket = t.dial(t.at("/echo"));
        t.equal(socket[name], null, "first value");
        for (const handler of [() => {}, function () {}, class {}, {}, { handleEvent() {} }, [], new Date()]) {
          socket[name] = handler;
          t.equal(socket[name], handler, "value");
        }
        for (const nothing of [null, undefined, 1, "text", true, Symbol("x"), 1n]) {
          socket[name] = () => {};
          socket[name] = nothing;
          t.equal(socket[name], null, `value after ${String(nothing)}`);
        }
      },
    ]),
  ),
  "a handler gets the event, with the socket as this": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const [self, event, count] = await new Promise((resolve) => {
      socket.onmessage = function (event) {
        resolve([this, event, arguments.length]);
      };
    });
    t.equal(self, socket, "this");
    t.ok(event instanceof MessageEvent, "a MessageEvent");
    t.equal(count, 1, "count of arguments");
  },
  "an exception in a message handler keeps no message back": async (t) => {
    const mine = new Error("mine, from a message handler");
    t.reported((error) => error === mine);
    const socket = await t.open();
    const got = [];
    socket.onmessage = ({ data }) => {
      got.push(data);
      throw mine;
    };
    ["a", "b", "c"].forEach((text) => socket.send(text));
    while (got.length < 3) {
      await t.next(socket, "message");
      await t.turn();
    }
    t.equal(got, ["a", "b", "c"], "messages");
  },
  ...Object.fromEntries(
    // Messages go another way than the other events.
    ["open", "message"].flatMap((type) => Object.entries(tests(type)).map(([sentence, test]) => [`${sentence}, for ${type}`, test])),
  ),
};
