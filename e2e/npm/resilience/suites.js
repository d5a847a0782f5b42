// What the suites of reconnecting-websocket and partysocket look at beyond the other modules: see docs/websocket-differences.md.
const retry = { floor: 1, first: 5, max: 5, quick: 5 };

export default {
  "the attributes before the first connection are those of a socket that connects": (t) => {
    const socket = t.ever("/hang");
    t.equal([socket.bufferedAmount, socket.protocol, socket.extensions, socket.binaryType, socket.readyState], [0, "", "", "blob", 0], "attributes");
  },
  "handlers stay the same objects through failed attempts": async (t) => {
    const handlers = { onopen: () => {}, onmessage: () => {}, onclose: () => {}, onerror: () => {} };
    const socket = t.ever("/refuse", { backoff: { ...retry, maxRetries: 3 } }, { status: 503 });
    Object.assign(socket, handlers);
    const seen = [];
    socket.onreconnecting = () => seen.push(Object.entries(handlers).every(([name, handler]) => socket[name] === handler));
    await t.next(socket, "close");
    t.equal(seen, [true, true, true], "handlers at each attempt");
  },
  "a server that closes twice is met three times, and no more after close": async (t) => {
    const socket = t.ever();
    let opens = 0;
    socket.onopen = () => (opens += 1);
    await t.next(socket, "open");
    for (const _ of [1, 2]) {
      const back = t.next(socket, "open");
      await t.server("close");
      await back;
    }
    socket.close();
    await t.next(socket, "close");
    await t.turn(50);
    t.equal([opens, (await t.server("seen")).length], [3, 3], "opens and connections");
  },
  "close from within the reconnecting event keeps it closed": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    socket.onreconnecting = ({ code }) => code === 4000 && socket.close();
    const closed = t.next(socket, "close");
    await t.server("close", { code: 4000 });
    await closed;
    await t.turn(50);
    t.equal([socket.readyState, (await t.server("seen")).length], [3, 1], "readyState and connections");
  },
  "rounds of open, message and reconnect go on": async (t) => {
    const socket = t.ever();
    for (let round = 0; round < 3; round += 1) {
      await t.next(socket, "open");
      t.equal(socket.send(`round ${round}`), "sent", "outcome");
      t.equal((await t.next(socket, "message")).data, `round ${round}`, "data");
      socket.reconnect();
    }
    await t.next(socket, "open");
    t.equal((await t.server("seen")).map(({ messages }) => messages[0]), ["round 0", "round 1", "round 2", undefined], "messages");
  },
  "delays grow by the factor up to the greatest": async (t) => {
    const delays = [];
    const socket = t.ever("/refuse", { backoff: { floor: 10, first: 10, factor: 2, max: 60, maxRetries: 5 } }, { status: 503 });
    socket.onreconnecting = ({ delay }) => delays.push(delay);
    await t.next(socket, "close");
    [10, 20, 40, 60, 60].forEach((ceiling, index) => t.ok(delays[index] <= ceiling, `${delays[index]} at most ${ceiling}`));
  },
  "attempts are counted on while no connection has been stable": async (t) => {
    const socket = t.ever("/echo", { backoff: { ...retry, stableAfter: 600_000 } });
    await t.next(socket, "open");
    for (const attempt of [1, 2, 3]) {
      const [drop, back] = [t.next(socket, "reconnecting"), t.next(socket, "open")];
      await t.server("cut");
      t.equal((await drop).attempt, attempt, "attempt");
      await back;
    }
  },
  "attempts are counted anew once a connection has been stable": async (t) => {
    const socket = t.ever("/echo", { backoff: { ...retry, stableAfter: 100 } });
    await t.next(socket, "open");
    for (const _ of [1, 2]) {
      for (const since = performance.now(); performance.now() - since < 150; ) {
        socket.send("still there?");
        await t.next(socket, "message");
      }
      const [drop, back] = [t.next(socket, "reconnecting"), t.next(socket, "open")];
      await t.server("cut");
      t.equal((await drop).attempt, 1, "attempt");
      await back;
    }
  },
  "an attempt that fails at once does not wait for the connect timeout": async (t) => {
    const causes = [];
    const socket = t.ever("/refuse", { connectTimeout: 60_000, backoff: { ...retry, maxRetries: 2 } }, { status: 404 });
    socket.onreconnecting = ({ cause }) => causes.push(cause);
    await t.next(socket, "close");
    t.equal(causes, ["closed", "closed"], "causes");
  },
  "close right away dispatches one close, and no open ever": async (t) => {
    const socket = t.ever();
    const log = t.log(socket);
    socket.close();
    socket.close();
    socket.close();
    await t.next(socket, "close");
    await t.turn(50);
    t.equal(log, ["error", "close"], "events");
  },
  "a thousand messages come back in order": async (t) => {
    const socket = t.ever();
    const got = [];
    socket.onmessage = ({ data }) => got.push(data);
    const texts = Array.from({ length: 1_000 }, (_, index) => `message ${index}`);
    texts.forEach((text) => socket.send(text));
    await t.until(() => got.length === 1_000);
    t.equal(got, texts, "messages");
  },
  "an empty message can wait too": async (t) => {
    const socket = t.ever();
    t.equal([socket.send(""), socket.stats.queuedMessages, socket.bufferedAmount], ["queued", 1, 0], "what waits");
    t.equal((await t.next(socket, "message")).data, "", "data");
  },
  "sockets with options of their own do not touch each other": async (t) => {
    const sockets = [t.ever("/greet"), t.ever("/greet", { outbox: { maxMessages: 1 } }), t.ever("/greet", { heartbeat: true })];
    const greetings = await Promise.all(sockets.map((socket) => t.next(socket, "message")));
    t.equal(greetings.map(({ data }) => data), ["hello", "hello", "hello"], "messages");
    sockets[0].close();
    await t.next(sockets[0], "close");
    t.equal(sockets.map(({ readyState }) => readyState), [3, 1, 1], "readyStates");
  },
  "binaryType that is set while it is closed counts for the next connection": async (t) => {
    const socket = t.ever("/bytes");
    await t.next(socket, "open");
    socket.close();
    await t.next(socket, "close");
    socket.binaryType = "arraybuffer";
    socket.reconnect();
    t.ok((await t.next(socket, "message")).data instanceof ArrayBuffer, "an ArrayBuffer");
  },
};
