const fire = (socket, type) => socket.dispatchEvent(new Event(type));
const on = (t, run) => run(t.dial(t.at("/echo")), t);

/** What holds for every EventTarget, seen on a socket. */
const tests = (type) => ({
  "listeners are called in the order of their adding": (t) =>
    on(t, (socket) => {
      const order = [];
      [1, 2, 3].forEach((name) => socket.addEventListener(type, () => order.push(name)));
      fire(socket, type);
      t.equal(order, [1, 2, 3], "order");
    }),
  "a listener that is added twice is called once": (t) =>
    on(t, (socket) => {
      let calls = 0;
      const listener = () => (calls += 1);
      socket.addEventListener(type, listener);
      socket.addEventListener(type, listener, { once: true });
      fire(socket, type);
      fire(socket, type);
      t.equal(calls, 2, "calls");
    }),
  "a listener for both phases is called twice": (t) =>
    on(t, (socket) => {
      let calls = 0;
      const listener = () => (calls += 1);
      socket.addEventListener(type, listener);
      socket.addEventListener(type, listener, true);
      fire(socket, type);
      t.equal(calls, 2, "calls");
    }),
  "capturing listeners have the place that the browser gives them": (t) =>
    on(t, (socket) => {
      const order = (target) => {
        const order = [];
        target.addEventListener(type, () => order.push("plain"));
        target.addEventListener(type, () => order.push("capturing"), { capture: true });
        fire(target, type);
        return order;
      };
      // The DOM standard has them first; Chromium does so for nodes alone.
      const [seen, browsers] = [order(socket), order(new EventTarget())];
      t.ok(`${seen}` === `${browsers}` || (t.Socket !== WebSocket && seen[0] === "capturing"), `the order ${browsers} instead of ${seen}`);
    }),
  "removing asks for the same phase": (t) =>
    on(t, (socket) => {
      let calls = 0;
      const listener = () => (calls += 1);
      socket.addEventListener(type, listener, true);
      socket.removeEventListener(type, listener);
      fire(socket, type);
      socket.removeEventListener(type, listener, { capture: true });
      fire(socket, type);
      t.equal(calls, 1, "calls");
    }),
  "once is called once": (t) =>
    on(t, (socket) => {
      let calls = 0;
      socket.addEventListener(type, () => (calls += 1, fire(socket, type)), { once: true });
      fire(socket, type);
      fire(socket, type);
      t.equal(calls, 1, "calls");
    }),
  "a signal takes a listener off": (t) =>
    on(t, (socket) => {
      let calls = 0;
      const controller = new AbortController();
      socket.addEventListener(type, () => (calls += 1), { signal: controller.signal });
      fire(socket, type);
      controller.abort();
      fire(socket, type);
      t.equal(calls, 1, "calls");
    }),
  "a signal that has aborted adds nothing": (t) =>
    on(t, (socket) => {
      let calls = 0;
      socket.addEventListener(type, () => (calls += 1), { signal: AbortSignal.abort() });
      fire(socket, type);
      t.equal(calls, 0, "calls");
    }),
  "a passive listener cannot prevent": (t) =>
    on(t, (socket) => {
      socket.addEventListener(type, (event) => event.preventDefault(), { passive: true });
      t.equal(socket.dispatchEvent(new Event(type, { cancelable: true })), true, "what dispatchEvent returns");
    }),
  "an object with handleEvent is called with itself as this": (t) =>
    on(t, (socket) => {
      const seen = [];
      const listener = {
        handleEvent(event) {
          seen.push(this === listener, event.type);
        },
      };
      socket.addEventListener(type, listener);
      fire(socket, type);
      t.equal(seen, [true, type], "what it saw");
    }),
  "handleEvent is looked up for each event": (t) =>
    on(t, (socket) => {
      const seen = [];
      const listener = { handleEvent: () => seen.push("old") };
      socket.addEventListener(type, listener);
      listener.handleEvent = () => seen.push("new");
      fire(socket, type);
      t.equal(seen, ["new"], "calls");
    }),
  "a function is called with the socket as this": (t) =>
    on(t, (socket) => {
      let self;
      socket.addEventListener(type, function () {
        self = this;
      });
      fire(socket, type);
      t.equal(self, socket, "this");
    }),
  "null is no listener, and no error": (t) =>
    on(t, (socket) => {
      t.equal(socket.addEventListener(type, null), undefined, "result");
      t.equal(socket.removeEventListener(type, null), undefined, "result");
      t.equal(fire(socket, type), true, "what dispatchEvent returns");
    }),
  "a listener that is no object is a TypeError": (t) =>
    on(t, (socket) => {
      t.throws("TypeError", () => socket.addEventListener(type, 1));
      t.throws("TypeError", () => socket.addEventListener(type));
      t.throws("TypeError", () => socket.addEventListener());
    }),
  "a listener that is added during the event waits for the next": (t) =>
    on(t, (socket) => {
      let calls = 0;
      socket.addEventListener(type, () => socket.addEventListener(type, () => (calls += 1)), { once: true });
      fire(socket, type);
      t.equal(calls, 0, "calls during");
      fire(socket, type);
      t.equal(calls, 1, "calls after");
    }),
  "a listener that is removed during the event is not called": (t) =>
    on(t, (socket) => {
      let called = false;
      const listener = () => (called = true);
      socket.addEventListener(type, () => socket.removeEventListener(type, listener));
      socket.addEventListener(type, listener);
      fire(socket, type);
      t.ok(!called, "calling nothing");
    }),
  "stopImmediatePropagation ends the event": (t) =>
    on(t, (socket) => {
      let called = false;
      socket.addEventListener(type, (event) => event.stopImmediatePropagation());
      socket.addEventListener(type, () => (called = true));
      socket.onopen = () => (called = true);
      fire(socket, type);
      t.ok(!called, "calling nothing");
    }),
  "an exception is reported, and the others are called": (t) =>
    on(t, (socket) => {
      const mine = new Error("mine, from a listener");
      const reported = t.reported((error) => error === mine);
      let called = false;
      socket.addEventListener(type, () => {
        throw mine;
      });
      socket.addEventListener(type, () => (called = true));
      fire(socket, type);
      t.ok(called, "calling the next");
      t.equal(reported.length, 1, "reports");
    }),
  "dispatchEvent calls at once, and says whether the default was prevented": (t) =>
    on(t, (socket) => {
      socket.addEventListener("thing", (event) => event.preventDefault());
      t.equal(socket.dispatchEvent(new Event("thing", { cancelable: true })), false, "result");
      t.equal(socket.dispatchEvent(new Event("thing")), true, "result where it cannot be cancelled");
    }),
  "dispatchEvent sets target, and the event is not trusted": (t) =>
    on(t, (socket) => {
      const event = new Event("thing");
      let within;
      socket.addEventListener("thing", () => (within = [event.target === socket, event.currentTarget === socket, event.eventPhase]));
      socket.dispatchEvent(event);
      t.equal(within, [true, true, 2], "target, currentTarget and eventPhase within");
      t.equal([event.target === socket, event.currentTarget, event.eventPhase, event.isTrusted], [true, null, 0, false], "afterwards");
    }),
  "an event that is being dispatched cannot be dispatched again": (t) =>
    on(t, (socket) => {
      const event = new Event("thing");
      let error;
      socket.addEventListener("thing", () => {
        try {
          socket.dispatchEvent(event);
        } catch (thrown) {
          error = thrown;
        }
      });
      socket.dispatchEvent(event);
      t.equal(error?.name, "InvalidStateError", "error");
    }),
  "dispatchEvent of what is no event is a TypeError": (t) =>
    on(t, (socket) => {
      t.throws("TypeError", () => socket.dispatchEvent({}));
      t.throws("TypeError", () => socket.dispatchEvent(null));
      t.throws("TypeError", () => socket.dispatchEvent());
    }),
  "an event of ours changes nothing of the socket": async (t) => {
    const socket = await t.open();
    socket.dispatchEvent(new CloseEvent("close", { code: 4000 }));
    fire(socket, "error");
    t.equal(socket.readyState, 1, "readyState");
    socket.send("still here");
    t.equal((await t.next(socket, "message")).data, "still here", "data");
  },
  "listeners may be added to a socket that is closed": async (t) => {
    const socket = await t.closed();
    let called = false;
    socket.addEventListener("close", () => (called = true));
    await t.turn(3);
    t.ok(!called, "calling nothing for a close that was");
    fire(socket, "close");
    t.ok(called, "calling it for an event of ours");
  },
  "names of events are case sensitive": async (t) => {
    const socket = t.dial(t.at("/echo"));
    let called = false;
    socket.addEventListener("Open", () => (called = true));
    await t.next(socket, "open");
    t.ok(!called, "calling nothing");
  },
});

// Messages go another way than the other events.
export default Object.fromEntries(
  ["open", "message"].flatMap((type) => Object.entries(tests(type)).map(([sentence, test]) => [`${sentence}, for ${type}`, test])),
);
