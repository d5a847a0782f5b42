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
  "two loops over one view share its messages, each of which goes to the one that has waited longest": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const [one, other] = [view[Symbol.asyncIterator](), view[Symbol.asyncIterator]()];
    const calls = [one.next(), other.next(), other.next(), one.next()];
    ["1", "2", "3", "4", "5"].forEach((text) => socket.send(text));
    t.equal((await Promise.all(calls)).map(({ value }) => value), [1, 2, 3, 4], "what each call gives");
    t.equal((await one.next()).value, 5, "what waited for the next call");
  },
  "two views have all messages each": async (t) => {
    const socket = await open(t);
    const loops = [socket.json(), socket.json()].map((view) => view[Symbol.asyncIterator]());
    const firsts = loops.map((loop) => loop.next());
    socket.send("1");
    t.equal((await Promise.all(firsts)).map(({ value }) => value), [1, 1], "values");
  },
  "return settles at once, also what waits, and takes no message": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const left = view[Symbol.asyncIterator]();
    const waits = [left.next(), left.next()];
    const other = view[Symbol.asyncIterator]().next();
    t.equal(await left.return("done"), { value: "done", done: true }, "what return gives");
    t.equal((await Promise.all(waits)).map(({ done }) => done), [true, true], "what the calls before it give");
    socket.send("1");
    t.equal((await other).value, 1, "what the other loop gets");
    t.equal((await left.next()).done, true, "a loop that was left");
  },
  "a loop that throws settles what else waits in it, and no other loop": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const loop = view[Symbol.asyncIterator]();
    const calls = [loop.next().catch(({ name }) => name), loop.next()];
    const other = view[Symbol.asyncIterator]().next();
    ["{oops", "1"].forEach((text) => socket.send(text));
    t.equal([await calls[0], (await calls[1]).done, (await other).value], ["SyntaxError", true, 1], "what each call gives");
  },
  "what came before a loop was left waits for the next one": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const got = [];
    const loop = view[Symbol.asyncIterator]();
    const first = loop.next();
    ["1", "2", "3"].forEach((text) => socket.send(text));
    await t.until(() => socket.stats.messagesIn === 3);
    got.push((await first).value);
    await loop.return();
    for await (const value of view) {
      got.push(value);
      if (value === 3) break;
    }
    t.equal(got, [1, 2, 3], "values");
  },
  "the next loop says how much came between two loops": async (t) => {
    const socket = await open(t);
    const dropped = [];
    socket.ondrop = ({ reason, messages, bytes }) => dropped.push([reason, messages, bytes]);
    const view = socket.json();
    const firstOf = async () => {
      for await (const value of view) return value;
    };
    const first = firstOf();
    socket.send("1");
    t.equal(await first, 1, "value");
    ["20", "30"].forEach((text) => socket.send(text));
    await t.until(() => socket.stats.messagesIn === 3);
    t.equal(dropped, [], "drops while no loop has asked");
    const second = firstOf();
    t.equal(dropped, [["unread", 2, 4]], "drops");
    socket.send("4");
    t.equal(await second, 4, "value");
    // Nothing came between the two: nothing is said.
    const third = firstOf();
    socket.send("5");
    t.equal([await third, dropped.length], [5, 1], "value and drops");
  },
  "loops end when the socket is closed, all that wait": async (t) => {
    const socket = await open(t);
    const view = socket.json();
    const calls = [view, view].map((view) => view[Symbol.asyncIterator]().next());
    socket.close();
    t.equal((await Promise.all(calls)).map(({ done }) => done), [true, true], "done");
  },
};
