import { inWindow } from "../check.js";
import { hidePage } from "../hidden-page.js";
import { foreignData, oddData, outcome } from "../odd-data.js";

const texts = (count, name = "m") => Array.from({ length: count }, (_, index) => `${name}${index}`);
const drops = (socket) => {
  const seen = [];
  socket.addEventListener("drop", ({ reason, data, bytes, messages }) => seen.push({ reason, data, bytes, messages }));
  return seen;
};
/** A socket that is down. */
async function down(t, options) {
  const socket = t.ever("/echo", options);
  await t.next(socket, "open");
  const dropped = t.next(socket, "reconnecting");
  await t.server("down");
  await dropped;
  return socket;
}
const arrived = (t, count) => t.until(async () => {
  const messages = (await t.server("seen")).flatMap((seen) => seen.messages);
  return messages.length >= count && messages;
});
const MIB4 = 4 << 20;
const pieces = (bytes) => Array.from({ length: bytes >> 16 }, () => "x".repeat(1 << 16));
/**
 * How many minutes a hidden page takes until so many bytes were echoed. One passes where nothing but a timer can help: all that the
 * socket has sent is back, and no more follows.
 */
function minutesToEcho(bytes, t, socket, page) {
  let [back, minutes] = [0, 0];
  return new Promise((resolve) => {
    socket.addEventListener("message", async ({ data }) => {
      back += data.length;
      if (back === bytes) return resolve(minutes);
      const isAllBack = () => back === socket.stats.bytesOut;
      if (!isAllBack() || (await t.turn(10), !isAllBack())) return;
      minutes += 1;
      page.passMinute();
    });
  });
}

const asWhenOpen = (table, where) =>
  Object.fromEntries(
    Object.entries(table).map(([name, make]) => [
      `${name} that has to wait is sent or refused as the browser's own class does when it is open`,
      where(async (t) => t.equal(await outcome(t, t.Socket, make(), true), await outcome(t, WebSocket, make()), "outcome")),
    ]),
  );
const transferred = () => {
  const bytes = Uint8Array.of(1, 2, 3);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};
/** Data that every browser refuses. */
const refused = () => new ArrayBuffer(4, { maxByteLength: 8 });

/** A class of sockets whose `method` throws from the moment at which `isBroken` is set. */
function broken(method) {
  return class Broken extends WebSocket {
    static isBroken = false;
    [method](...args) {
      if (Broken.isBroken) throw new Error(`mine, from ${method}`);
      return super[method](...args);
    }
  };
}

export default {
  ...asWhenOpen(oddData, (test) => test),
  ...asWhenOpen(foreignData, inWindow),
  "a send that throws, open or not, concerns no other socket and no other message": async (t) => {
    const bystander = t.ever();
    await t.next(bystander, "open");
    const log = t.log(bystander, ["error", "close", "reconnecting"]);
    const waits = t.ever();
    for (const data of [Symbol("x"), Object.create(null), refused()]) {
      t.throws("TypeError", () => waits.send(data), "send");
    }
    t.throws("TypeError", () => waits.send("x", { timeToLive: 5n }), "send");
    t.throws("TypeError", () => waits.send("x", { key: Object.create(null) }), "send");
    t.equal([waits.send(transferred()), waits.send("after")], ["queued", "queued"], "outcomes");
    await arrived(t, 2);
    t.equal((await t.server("seen")).flatMap((seen) => seen.messages), ["0x", "after"], "messages");
    const before = waits.stats;
    t.throws("TypeError", () => waits.send(refused()), "send");
    t.equal([waits.stats.messagesOut, waits.stats.bytesOut], [before.messagesOut, before.bytesOut], "what counts as sent");
    await t.turn(5);
    t.equal([log, bystander.readyState, waits.readyState], [[], 1, 1], "events and readyStates");
  },
  "a platform whose send throws for what waited loses that connection, and no other": async (t) => {
    const bystander = t.ever();
    await t.next(bystander, "open");
    const Broken = broken("send");
    const socket = t.ever("/echo", { WebSocket: Broken });
    const dropped = drops(socket);
    socket.send("x");
    Broken.isBroken = true;
    const { cause, reason } = await t.next(socket, "reconnecting");
    t.equal([cause, reason], ["closed", "mine, from send"], "what reconnecting tells");
    t.equal(dropped, [{ reason: "connection-lost", bytes: 1, messages: 1 }], "drops");
    t.equal(socket.stats.messagesOut, 0, "messagesOut");
    Broken.isBroken = false;
    await t.next(socket, "open");
    t.equal(bystander.readyState, 1, "readyState of the other");
  },
  "a platform whose send throws when it is open throws to the caller alone": async (t) => {
    const Broken = broken("send");
    const socket = t.ever("/echo", { WebSocket: Broken });
    await t.next(socket, "open");
    Broken.isBroken = true;
    try {
      socket.send("x");
      t.ok(false, "throwing");
    } catch ({ message }) {
      t.equal(message, "mine, from send", "message");
    }
    Broken.isBroken = false;
    t.equal([socket.stats.messagesOut, socket.send("y"), socket.readyState], [0, "sent", 1], "what counts as sent, outcome and readyState");
    t.equal((await t.next(socket, "message")).data, "y", "data");
  },
  "a platform whose close throws is closed all the same": async (t) => {
    const bystander = t.ever();
    await t.next(bystander, "open");
    const Broken = broken("close");
    const socket = t.ever("/echo", { WebSocket: Broken, closeTimeout: 600_000 });
    await t.next(socket, "open");
    Broken.isBroken = true;
    socket.close();
    const { code, reason, wasClean } = await t.next(socket, "close");
    t.equal([code, reason, wasClean], [1006, "mine, from close", false], "what close tells");
    t.equal(bystander.readyState, 1, "readyState of the other");
  },
  "send says sent when it is open": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    t.equal([socket.send("x"), socket.send(Uint8Array.of(1)), socket.send(new Blob(["b"]))], ["sent", "sent", "sent"], "outcomes");
  },
  "what is sent before it is open arrives in order, and once": async (t) => {
    const socket = t.ever();
    t.equal(texts(100).map((text) => socket.send(text)), Array(100).fill("queued"), "outcomes");
    t.equal(await arrived(t, 100), texts(100), "messages");
    await t.turn(10);
    t.equal((await t.server("seen")).flatMap((seen) => seen.messages), texts(100), "messages later");
  },
  "what is sent while it is down arrives in order, and once": async (t) => {
    const socket = await down(t);
    texts(50).forEach((text) => socket.send(text));
    socket.send(Uint8Array.of(1, 2));
    socket.send(new Blob(["b"]));
    socket.send("last");
    await t.server("up");
    t.equal(await arrived(t, 53), [...texts(50), "0x0102", "0x62", "last"], "messages");
  },
  "what the open listener sends goes before what waited": async (t) => {
    const socket = t.ever();
    socket.send("waited");
    socket.onopen = () => {
      socket.send("hello");
      socket.send("and hello");
    };
    t.equal(await arrived(t, 3), ["hello", "and hello", "waited"], "messages");
  },
  "what the open listener sends goes first after a reconnect too": async (t) => {
    const socket = await down(t);
    socket.onopen = () => socket.send("hello again");
    socket.send("waited");
    await t.server("up");
    t.equal(await arrived(t, 2), ["hello again", "waited"], "messages");
  },
  "what waits is counted in bufferedAmount, as bytes": async (t) => {
    const socket = t.ever();
    socket.send("é");
    socket.send(new ArrayBuffer(3));
    socket.send(new Blob(["12345"]));
    t.equal(socket.bufferedAmount, 10, "bufferedAmount");
    await arrived(t, 3);
    await t.until(() => socket.bufferedAmount === 0);
  },
  "bytes that wait are those of the call, whatever becomes of the buffer": async (t) => {
    const socket = t.ever();
    const bytes = Uint8Array.of(1, 2, 3, 4);
    socket.send(bytes);
    socket.send(bytes.buffer);
    socket.send(new DataView(bytes.buffer, 1, 2));
    socket.send(new Uint16Array(bytes.buffer, 2, 1));
    bytes.fill(9);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    t.equal(await arrived(t, 4), ["0x01020304", "0x01020304", "0x0203", "0x0304"], "messages");
  },
  "what is no text and no bytes waits as its text of the call": async (t) => {
    const socket = t.ever();
    let text = "before";
    socket.send({ toString: () => text });
    text = "after";
    t.equal(await arrived(t, 1), ["before"], "messages");
  },
  "more messages than the outbox takes are refused, and nothing of them is kept": async (t) => {
    const socket = t.ever("/echo", { outbox: { maxMessages: 2 } });
    t.equal(texts(4).map((text) => socket.send(text)), ["queued", "queued", "refused", "refused"], "outcomes");
    t.equal(socket.bufferedAmount, 4, "bufferedAmount");
    t.equal(await arrived(t, 2), ["m0", "m1"], "messages");
  },
  "more bytes than the outbox takes are refused": async (t) => {
    const socket = t.ever("/echo", { outbox: { maxBytes: 5 } });
    t.equal(["abc", "éé", "é", "x"].map((text) => socket.send(text)), ["queued", "refused", "queued", "refused"], "outcomes");
    t.equal(await arrived(t, 2), ["abc", "é"], "messages");
  },
  "the limits are the same while it is down": async (t) => {
    const socket = await down(t, { outbox: { maxMessages: 2, maxBytes: 5 } });
    t.equal(["abc", "éé", "é", "x"].map((text) => socket.send(text)), ["queued", "refused", "queued", "refused"], "outcomes");
  },
  "drop-oldest makes room, and gives back what made it": async (t) => {
    const socket = await down(t, { outbox: { maxMessages: 2, whenFull: "drop-oldest" } });
    const dropped = drops(socket);
    t.equal(texts(4).map((text) => socket.send(text)), Array(4).fill("queued"), "outcomes");
    t.equal(dropped.map(({ reason, data, bytes, messages }) => [reason, data, bytes, messages]), [["evicted", "m0", 2, 1], ["evicted", "m1", 2, 1]], "drops");
    await t.server("up");
    t.equal(await arrived(t, 2), ["m2", "m3"], "messages");
  },
  "drop-oldest makes room also before the module is loaded": async (t) => {
    const socket = t.ever("/echo", { outbox: { maxMessages: 2, whenFull: "drop-oldest" } });
    const dropped = drops(socket);
    t.equal(texts(4).map((text) => socket.send(text)), Array(4).fill("queued"), "outcomes");
    t.equal(await arrived(t, 2), ["m2", "m3"], "messages");
    t.equal(dropped.map(({ data }) => data), ["m0", "m1"], "drops");
  },
  "a time to live ends the waiting, and gives the message back": async (t) => {
    const socket = await down(t, { outbox: { timeToLive: 20 } });
    const dropped = drops(socket);
    socket.send("short");
    socket.send("long", { timeToLive: 600_000 });
    await t.next(socket, "drop");
    t.equal(dropped.map(({ reason, data }) => [reason, data]), [["expired", "short"]], "drops");
    await t.server("up");
    t.equal(await arrived(t, 1), ["long"], "messages");
  },
  "a message with a key takes the place of one with the same key": async (t) => {
    const socket = await down(t);
    const dropped = drops(socket);
    socket.send("x1", { key: "x" });
    socket.send("y1", { key: "y" });
    socket.send("x2", { key: "x" });
    socket.send("x3", { key: "x" });
    t.equal(dropped.map(({ reason, data }) => [reason, data]), [["replaced", "x1"], ["replaced", "x2"]], "drops");
    await t.server("up");
    const messages = await arrived(t, 2);
    t.equal(messages.toSorted(), ["x3", "y1"], "messages");
  },
  "a key replaces also before the module is loaded": async (t) => {
    const socket = t.ever();
    socket.send("x1", { key: "x" });
    socket.send("x2", { key: "x" });
    await t.next(socket, "open");
    t.equal(await arrived(t, 1), ["x2"], "messages");
  },
  "close gives back what waits": async (t) => {
    const socket = await down(t);
    const dropped = drops(socket);
    socket.send("a");
    socket.send(Uint8Array.of(1));
    socket.close();
    await t.next(socket, "close");
    t.equal(dropped.map(({ reason, bytes }) => [reason, bytes]), [["closed", 1], ["closed", 1]], "drops");
    t.equal([dropped[0].data, [...new Uint8Array(dropped[1].data.buffer ?? dropped[1].data)]], ["a", [1]], "data");
    t.equal(socket.bufferedAmount, 0, "bufferedAmount");
  },
  "a final close gives back what waits": async (t) => {
    const socket = t.ever("/refuse", { backoff: { floor: 1, first: 2, max: 2, maxRetries: 1 } }, { status: 503 });
    const dropped = drops(socket);
    socket.send("a");
    await t.next(socket, "close");
    t.equal(dropped.map(({ reason, data }) => [reason, data]), [["closed", "a"]], "drops");
  },
  "after close send says refused": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    socket.close();
    t.equal(socket.send("x"), "refused", "outcome");
    await t.next(socket, "close");
    t.equal([socket.send("x"), socket.bufferedAmount], ["refused", 0], "outcome and bufferedAmount");
  },
  "what the browser still held when the connection was lost is told": async (t) => {
    const socket = t.ever("/deaf");
    await t.next(socket, "open");
    const lost = t.next(socket, "drop");
    // More than the system's own buffers take.
    socket.send(new ArrayBuffer(30_000_000));
    await t.server("cut");
    const { reason, bytes, messages, data } = await lost;
    t.equal([reason, data], ["connection-lost", undefined], "reason and data");
    t.ok(bytes > 0 && messages > 0, `${messages} messages with ${bytes} bytes`);
  },
  "what the server has answered is not at risk when the connection is lost right after": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    const seen = drops(socket);
    socket.send("x");
    await t.next(socket, "message");
    const lost = t.next(socket, "reconnecting");
    await t.server("cut");
    await lost;
    t.equal(seen, [], "drops");
  },
  "ready waits for the connection": async (t) => {
    const socket = t.ever();
    t.equal(await Promise.race([socket.ready(), Promise.resolve("waits")]), "waits", "at first");
    await socket.ready();
    t.equal(socket.readyState, 1, "readyState");
    await socket.ready();
  },
  "ready waits while more is buffered than the high-water mark": async (t) => {
    const socket = t.ever("/deaf", { watermarks: { high: 100_000, low: 10_000 } });
    await socket.ready();
    // More than the system's own buffers take.
    socket.send(new ArrayBuffer(30_000_000));
    let isReady = false;
    socket.ready().then(() => (isReady = true), () => {});
    await t.turn(20);
    t.ok(!isReady, "waiting");
  },
  "ready resolves when what was buffered has left": async (t) => {
    const socket = t.ever("/quiet", { watermarks: { high: 100_000, low: 10_000 } });
    await socket.ready();
    socket.send(new ArrayBuffer(3_000_000));
    await socket.ready();
    t.ok(socket.bufferedAmount <= 10_000, `${socket.bufferedAmount} bytes left`);
  },
  "a hidden page sends 4 MiB through ready() to a server that answers, before any timer rings": async (t) => {
    const page = hidePage(t);
    const socket = t.dial(t.at("/echo"));
    await t.next(socket, "open");
    const minutes = minutesToEcho(MIB4, t, socket, page);
    for (const piece of pieces(MIB4)) {
      await socket.ready();
      socket.send(piece);
    }
    t.equal(await minutes, 0, "minutes until the last message was back");
  },
  "what waits in a hidden page's outbox leaves as the server answers, before any timer rings": async (t) => {
    const page = hidePage(t);
    const socket = t.dial(t.at("/echo"));
    await t.next(socket, "open");
    const minutes = minutesToEcho(MIB4, t, socket, page);
    const outcomes = pieces(MIB4).map((piece) => socket.send(piece));
    t.equal([...new Set(outcomes)], ["sent", "queued"], "outcomes");
    t.equal(await minutes, 0, "minutes until the last message was back");
  },
  "ready rejects when the socket is closed": async (t) => {
    const socket = t.ever("/hang");
    const waiting = socket.ready().catch(({ name }) => name);
    socket.close();
    await t.next(socket, "close");
    t.equal([await waiting, await socket.ready().catch(({ name }) => name)], ["InvalidStateError", "InvalidStateError"], "errors");
  },
  "a burst above the high-water mark arrives in order, and once": async (t) => {
    const socket = t.ever("/quiet", { watermarks: { high: 20_000, low: 5_000 } });
    await t.next(socket, "open");
    const long = texts(300).map((text) => text.padEnd(1_000, "."));
    const outcomes = new Set(long.map((text) => socket.send(text)));
    t.ok(outcomes.has("queued") && !outcomes.has("refused"), `outcomes ${[...outcomes]}`);
    const messages = await arrived(t, 300);
    t.ok(messages.every((text, index) => text === long[index]) && messages.length === 300, "the same messages");
  },
  "stats count what was done": async (t) => {
    const socket = t.ever();
    t.equal(socket.stats.opened, 0, "opened at first");
    await t.next(socket, "open");
    socket.send("abc");
    await t.next(socket, "message");
    const { opened, dropped, messagesIn, messagesOut, bytesIn, bytesOut, queuedMessages, queuedBytes, latency } = socket.stats;
    t.equal([opened, dropped, messagesIn, messagesOut, bytesIn, bytesOut, queuedMessages, queuedBytes], [1, 0, 1, 1, 3, 3, 0, 0], "stats");
    t.equal([latency.answered, latency.lost, latency.last], [0, 0, undefined], "latency");
    const back = t.next(socket, "reconnected");
    await t.server("cut");
    await back;
    t.equal([socket.stats.opened, socket.stats.dropped], [2, 1], "stats after a cut");
    t.ok(socket.stats !== socket.stats, "being a new object each time");
  },
  "stats tell what waits": async (t) => {
    const socket = t.ever("/hang");
    socket.send("é");
    socket.send("x");
    t.equal([socket.stats.queuedMessages, socket.stats.queuedBytes], [2, 3], "what waits");
  },
};
