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
  "reconnect: false is one connection of the browser's own class": async (t) => {
    const sockets = [new t.Socket(t.at("/gone"), [], { reconnect: false }), new (t.Socket.with({ reconnect: false }))(t.at("/gone"))];
    t.ok(sockets.every((socket) => socket instanceof WebSocket && socket instanceof t.Socket), "being of both classes");
    const closes = await Promise.all(sockets.map((socket) => t.next(socket, "close")));
    t.equal(closes.map(({ code }) => code), [1006, 1006], "codes");
  },
  "a socket that does not reconnect has the further methods too": async (t) => {
    const controller = new AbortController();
    const socket = new t.Socket(t.at("/echo"), [], { reconnect: false, signal: controller.signal });
    await socket.ready();
    const loop = socket.json()[Symbol.asyncIterator]();
    const first = loop.next();
    socket.json().send({ a: 1 });
    t.equal((await first).value.a, 1, "value");
    controller.abort();
    await socket[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
    t.equal(await socket.ready().catch(({ name }) => name), "InvalidStateError", "error of ready");
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
  "an address or a subprotocol that cannot be is an error at once": (t) => {
    t.throws("SyntaxError", () => new t.Socket("ftp://localhost"));
    t.throws("SyntaxError", () => new t.Socket(t.at("/echo"), ["a", "a"]));
  },
};
