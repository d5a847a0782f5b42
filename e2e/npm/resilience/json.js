async function open(t, path = "/echo", query = {}) {
  const socket = t.ever(path, {}, query);
  await t.next(socket, "open");
  return socket;
}

export default {
  "send writes a value as JSON, and a loop reads values": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const values = [{ a: [1, null] }, "text", 7, null, true];
    const loop = view[Symbol.asyncIterator]();
    let next = loop.next();
    values.forEach((value) => t.equal(view.send(value), "sent", "outcome"));
    for (const value of values) {
      const given = await next;
      next = loop.next();
      t.equal(JSON.stringify(given), JSON.stringify({ value, done: false }), "what next gives");
    }
  },
  "what JSON cannot hold is a TypeError": async (t) => {
    const view = (await open(t)).json();
    const cycle = {};
    cycle.self = cycle;
    for (const value of [undefined, () => {}, Symbol("x"), cycle, 1n]) {
      t.throws("TypeError", () => view.send(value), String(typeof value));
    }
  },
  "what comes while a loop is busy waits for it": async (t) => {
    const socket = await open(t);
    const loop = socket.json()[Symbol.asyncIterator]();
    const first = loop.next();
    [1, 2, 3].forEach((value) => socket.send(`${value}`));
    await t.until(() => socket.stats.messagesIn === 3);
    t.equal([(await first).value, (await loop.next()).value, (await loop.next()).value], [1, 2, 3], "values");
  },
  "a text that is no JSON makes the loop throw, and the next loop goes on behind it": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const got = [];
    ["1", "{oops", "2", "3", "stop}"].forEach((text) => socket.send(text));
    while (got.filter((value) => value === "SyntaxError").length < 2) {
      try {
        for await (const value of view) got.push(value);
      } catch ({ name }) {
        got.push(name);
      }
    }
    t.equal(got, [1, "SyntaxError", 2, 3, "SyntaxError"], "values and errors");
  },
  "bytes make the loop throw": async (t) => {
    const socket = await open(t);
    const loop = socket.json()[Symbol.asyncIterator]();
    const first = loop.next();
    socket.send(Uint8Array.of(1));
    t.equal(await first.catch(({ name }) => name), "SyntaxError", "error");
  },
  "a loop goes on over a reconnect": async (t) => {
    const socket = await open(t);
    const loop = socket.json()[Symbol.asyncIterator]();
    const first = loop.next();
    socket.send("1");
    t.equal((await first).value, 1, "value");
    const back = t.next(socket, "reconnected");
    await t.server("cut");
    await back;
    const second = loop.next();
    socket.send("2");
    t.equal((await second).value, 2, "value");
  },
  "a loop ends when the socket is closed, after what was received": async (t) => {
    const socket = await open(t);
    const got = [];
    const loop = (async () => {
      for await (const value of socket.json()) {
        got.push(value);
        if (value === 2) socket.close();
      }
    })();
    socket.send("1");
    socket.send("2");
    await loop;
    t.equal(got, [1, 2], "values");
    for await (const value of socket.json()) throw new Error(`got ${value} from a closed socket`);
  },
  "leaving a loop stops listening": async (t) => {
    const socket = await open(t);
    socket.send("1");
    for await (const value of socket.json()) {
      t.equal(value, 1, "value");
      break;
    }
    const loop = socket.json()[Symbol.asyncIterator]();
    t.equal(await loop.return("done").then(({ value, done }) => [value, done]), ["done", true], "what return gives");
    t.equal((await loop.next()).done, true, "done");
  },
  "a loop that falls behind lets the oldest go, and says so": async (t) => {
    const socket = await open(t);
    const dropped = [];
    socket.ondrop = ({ reason, data, messages }) => dropped.push([reason, data, messages]);
    const loop = socket.json({ maxUnread: 2 })[Symbol.asyncIterator]();
    const first = loop.next();
    ["0", "1", "2", "3"].forEach((text) => socket.send(text));
    await t.until(() => socket.stats.messagesIn === 4);
    t.equal(dropped, [["unread", "1", 1]], "drops");
    t.equal([(await first).value, (await loop.next()).value], [0, 2], "values");
  },
};
