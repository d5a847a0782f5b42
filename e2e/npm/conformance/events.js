import { differs } from "../check.js";

/** What every event of a socket has in common, read within a listener. */
function common(event, socket) {
  const { bubbles, cancelable, composed, defaultPrevented, eventPhase, returnValue } = event;
  return {
    bubbles, cancelable, composed, defaultPrevented, eventPhase, returnValue,
    target: event.target === socket,
    currentTarget: event.currentTarget === socket,
    srcElement: event.srcElement === socket,
    path: event.composedPath().length === 1 && event.composedPath()[0] === socket,
    time: event.timeStamp > 0 && event.timeStamp <= performance.now() + 1,
  };
}
const expected = {
  bubbles: false, cancelable: false, composed: false, defaultPrevented: false, eventPhase: 2, returnValue: true,
  target: true, currentTarget: true, srcElement: true, path: true, time: true,
};

const within = (socket, type, read) => new Promise((resolve) => socket.addEventListener(type, (event) => resolve(read(event)), { once: true }));

/** How to come to each event. */
const ways = {
  open: (t) => t.dial(t.at("/echo")),
  message: (t) => t.dial(t.at("/greet")),
  error: (t) => {
    const socket = t.dial(t.at("/hang"));
    socket.close();
    return socket;
  },
  close: (t) => {
    const socket = t.dial(t.at("/echo"));
    socket.onopen = () => socket.close();
    return socket;
  },
};

export default {
  ...Object.fromEntries(
    Object.entries(ways).map(([type, start]) => [
      `the ${type} event is dispatched to the socket alone, and cannot be cancelled`,
      async (t) => {
        const socket = start(t);
        t.equal(await within(socket, type, (event) => common(event, socket)), expected, "properties");
      },
    ]),
  ),
  "the open event is an Event": async (t) => {
    const event = await t.next(t.dial(t.at("/echo")), "open");
    t.equal(event.constructor, Event, "class");
    t.equal(event.type, "open", "type");
  },
  "the error event is an Event that tells nothing": async (t) => {
    const event = await t.next(ways.error(t), "error");
    t.equal(event.constructor, Event, "class");
    t.ok(!("message" in event || "error" in event), "having neither message nor error");
  },
  "the message event is a MessageEvent with its properties": async (t) => {
    const event = await t.next(t.dial(t.at("/greet")), "message");
    t.ok(event instanceof MessageEvent && event.constructor === MessageEvent, "being a MessageEvent");
    const { data, origin, lastEventId, source, ports } = event;
    t.equal([data, origin, lastEventId, source, ports.length], ["hello", `ws://${location.host}`, "", null, 0], "properties");
    t.ok(Object.isFrozen(ports), "frozen ports");
  },
  "the close event is a CloseEvent with its properties": async (t) => {
    const event = await t.next(ways.close(t), "close");
    t.ok(event instanceof CloseEvent && event.constructor === CloseEvent, "being a CloseEvent");
    t.equal([event.code, event.reason, event.wasClean], [1005, "", true], "properties");
  },
  "an event has no property of its own but isTrusted": async (t) => {
    for (const [type, start] of Object.entries(ways)) {
      t.equal(Object.keys(await t.next(start(t), type)), ["isTrusted"], `keys of ${type}`);
    }
  },
  "events are trusted": differs("isTrusted", async (t) => {
    for (const [type, start] of Object.entries(ways)) {
      t.equal((await t.next(start(t), type)).isTrusted, true, `isTrusted of ${type}`);
    }
  }),
  "the prototype of an event is that of its class": differs("the prototype of message events", async (t) => {
    for (const [type, start] of Object.entries(ways)) {
      const event = await t.next(start(t), type);
      t.equal(Object.getPrototypeOf(event), event.constructor.prototype, `prototype of ${type}`);
    }
  }),
  "each listener gets the same event": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const events = [];
    socket.onmessage = (event) => events.push(event);
    socket.addEventListener("message", (event) => events.push(event));
    await t.next(socket, "message");
    t.equal(events[0], events[1], "event");
  },
  "each message has an event of its own": async (t) => {
    const socket = t.dial(t.at("/talk", { count: 2 }));
    const events = [];
    socket.onmessage = (event) => events.push(event);
    while (events.length < 2) {
      await t.turn();
    }
    t.ok(events[0] !== events[1], "being two");
    t.equal(events.map(({ data }) => data), ["0", "1"], "data");
  },
  "an event can be dispatched again, to another": differs("events dispatched again", async (t) => {
    const event = await t.next(t.dial(t.at("/greet")), "message");
    await t.turn();
    const other = new EventTarget();
    let got;
    other.addEventListener("message", ({ data, target, isTrusted }) => (got = [data, target === other, isTrusted]));
    other.dispatchEvent(event);
    t.equal(got, ["hello", true, false], "what the other saw");
  }),
  "after the dispatch currentTarget is null, and target stays": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const event = await t.next(socket, "message");
    await t.turn();
    t.equal([event.currentTarget, event.eventPhase, event.target === socket, event.composedPath().length], [null, 0, true, 0], "properties");
  },
  "open comes before the message that the server sends at once": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const log = t.log(socket);
    await t.next(socket, "message");
    t.equal(log, ["open", "message"], "events");
  },
  "each message is an event of a turn of its own": async (t) => {
    const socket = t.dial(t.at("/echo"));
    await t.next(socket, "open");
    const order = [];
    socket.addEventListener("message", ({ data }) => {
      order.push(data);
      queueMicrotask(() => order.push(`after ${data}`));
    });
    socket.send("a");
    socket.send("b");
    while (order.length < 4) {
      await t.turn();
    }
    t.equal(order, ["a", "after a", "b", "after b"], "order");
  },
  "microtasks run between two listeners of one event": differs("microtasks between listeners", async (t) => {
    const socket = t.dial(t.at("/greet"));
    const order = [];
    const listener = (name) => () => {
      order.push(name);
      queueMicrotask(() => order.push(`after ${name}`));
    };
    socket.addEventListener("message", listener("first"));
    socket.addEventListener("message", listener("second"));
    while (order.length < 4) {
      await t.turn();
    }
    t.equal(order, ["first", "after first", "second", "after second"], "order");
  }),
  "between open and the first message there is time for microtasks": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const order = [];
    socket.onopen = () => void Promise.resolve().then(() => order.push("microtask"));
    socket.onmessage = () => order.push("message");
    while (order.length < 2) {
      await t.turn();
    }
    t.equal(order, ["microtask", "message"], "order");
  },
  "a listener that is added in a microtask of open gets the first message": async (t) => {
    const socket = t.dial(t.at("/greet"));
    await t.next(socket, "open");
    t.equal((await t.next(socket, "message")).data, "hello", "data");
  },
  "readyState, bufferedAmount and protocol are up to date in every event": async (t) => {
    const socket = t.dial(t.at("/bye", { code: 4001 }), "chat");
    const log = [];
    for (const type of ["open", "close"]) {
      socket.addEventListener(type, () => log.push([type, socket.readyState, socket.bufferedAmount, socket.protocol]));
    }
    await t.next(socket, "open");
    socket.send("go");
    while (log.length < 2 && socket.readyState !== 0) {
      await t.turn();
    }
    t.equal(log[0], ["open", 1, 0, "chat"], "in open");
  },
  "a failure before the connection is error, then close": async (t) => {
    const socket = ways.error(t);
    const log = t.log(socket);
    await t.next(socket, "close");
    t.equal(log, ["error", "close"], "events");
  },
  "a clean close has no error": async (t) => {
    const socket = await t.open();
    const log = t.log(socket);
    socket.close(1000);
    await t.next(socket, "close");
    t.equal(log, ["close"], "events");
  },
  "nothing comes after close": async (t) => {
    const socket = await t.open();
    const log = t.log(socket);
    for (let count = 0; count < 20; count += 1) {
      socket.send("x");
    }
    socket.close();
    await t.next(socket, "close");
    const { length } = log;
    await t.turn(20);
    t.equal(log.slice(length - 1), ["close"], "events from close on");
    t.equal(log.filter((type) => type === "close").length, 1, "closes");
  },
  "error and close come in turns of their own, or at least with microtasks between": async (t) => {
    const socket = ways.error(t);
    const order = [];
    socket.onerror = () => {
      order.push("error");
      queueMicrotask(() => order.push("microtask"));
    };
    socket.onclose = () => order.push("close");
    await t.next(socket, "close");
    t.equal(order, ["error", "microtask", "close"], "order");
  },
};
