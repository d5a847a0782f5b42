import { differs } from "../check.js";

/** What a message counts in bufferedAmount, in bytes without any frame. */
const amounts = {
  "a text counts as its bytes in UTF-8": ["grüße 🦀", 12],
  "an empty text counts nothing": ["", 0],
  "a lone surrogate counts as three bytes": ["\ud800", 3],
  "an ArrayBuffer counts its bytes": [new ArrayBuffer(7), 7],
  "a view counts the bytes that it shows": [new Uint16Array(new ArrayBuffer(8), 2, 2), 4],
  "a DataView counts the bytes that it shows": [new DataView(new ArrayBuffer(8), 3), 5],
  "a Blob counts its size": [new Blob(["abc", "é"]), 5],
  "another object counts as its text": [{ toString: () => "ab" }, 2],
};

export default {
  ...Object.fromEntries(
    Object.entries(amounts).map(([name, [data, bytes]]) => [
      `${name}, at once`,
      async (t) => {
        const socket = await t.open();
        socket.send(data);
        t.equal(socket.bufferedAmount, bytes, "bufferedAmount");
      },
    ]),
  ),
  "it adds up": async (t) => {
    const socket = await t.open();
    socket.send("abc");
    socket.send(new Uint8Array(5));
    socket.send("é");
    t.equal(socket.bufferedAmount, 10, "bufferedAmount");
  },
  "it stays the same within one turn": async (t) => {
    const socket = await t.open();
    socket.send("x".repeat(1_000));
    const before = socket.bufferedAmount;
    const until = performance.now() + 20;
    while (performance.now() < until);
    t.equal([before, socket.bufferedAmount], [1_000, 1_000], "bufferedAmount");
  },
  "it comes down to 0 when all is sent": async (t) => {
    const socket = await t.open();
    socket.send("x");
    await t.next(socket, "message");
    await t.until(() => socket.bufferedAmount === 0);
  },
  "it stays up while the server does not read": async (t) => {
    const socket = await t.open("/deaf");
    const size = 16_000_000;
    socket.send(new ArrayBuffer(size));
    await t.turn(50);
    t.ok(socket.bufferedAmount > 0 && socket.bufferedAmount <= size, `something of ${socket.bufferedAmount}`);
  },
  "what is sent while it closes counts, though it is not sent": differs("send after close", async (t) => {
    const socket = await t.open();
    socket.close();
    socket.send("abc");
    socket.send(new Uint8Array(2));
    t.equal(socket.bufferedAmount, 5, "bufferedAmount");
  }),
  "what is sent to a closed socket counts, for ever": differs("send after close", async (t) => {
    const socket = await t.closed();
    socket.send("é");
    socket.send(new Blob(["abc"]));
    await t.turn(3);
    t.equal(socket.bufferedAmount, 5, "bufferedAmount");
    socket.send(new ArrayBuffer(1));
    t.equal(socket.bufferedAmount, 6, "bufferedAmount");
  }),
  "it is not put back to 0 when the connection closes": differs("send after close", async (t) => {
    const socket = await t.open();
    socket.close();
    socket.send("abc");
    await t.next(socket, "close");
    t.equal(socket.bufferedAmount, 3, "bufferedAmount");
  }),
};
