async function bytes(t, type) {
  const socket = t.dial(t.at("/bytes"));
  if (type) {
    socket.binaryType = type;
  }
  return (await t.next(socket, "message")).data;
}

const texts = {
  "an empty text": "",
  "a text of one letter": "a",
  "a text beyond ASCII": "grüße 東京",
  "a text beyond the first plane": "🦀𝄞",
  "a text with NUL, BOM and line ends": "\ufeffa\u0000b\r\n\u2028",
  "a text of 125 bytes": "x".repeat(125),
  "a text of 126 bytes": "x".repeat(126),
  "a text of 65535 bytes": "x".repeat(65_535),
  "a text of 65536 bytes": "x".repeat(65_536),
  "a text of a million letters": "é".repeat(1_000_000),
};

export default {
  ...Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      `${name} comes back as it went`,
      async (t) => {
        const socket = await t.open();
        socket.send(text);
        const { data } = await t.next(socket, "message");
        t.ok(data === text, `the same text of ${text.length} units instead of ${data.length}`);
      },
    ]),
  ),
  "bytes come as a Blob by default": async (t) => {
    const data = await bytes(t);
    t.ok(data instanceof Blob, "a Blob");
    t.equal([data.type, data.size], ["", 3], "type and size");
    t.equal([...new Uint8Array(await data.arrayBuffer())], [1, 2, 3], "bytes");
  },
  "bytes come as an ArrayBuffer where binaryType says so": async (t) => {
    const data = await bytes(t, "arraybuffer");
    t.equal(Object.getPrototypeOf(data), ArrayBuffer.prototype, "prototype");
    t.equal([...new Uint8Array(data)], [1, 2, 3], "bytes");
  },
  "binaryType counts when the message is dispatched": async (t) => {
    const socket = await t.open();
    const kinds = [];
    socket.onmessage = ({ data }) => {
      kinds.push(Object.prototype.toString.call(data));
      socket.binaryType = "arraybuffer";
    };
    socket.send(Uint8Array.of(1));
    await t.next(socket, "message");
    socket.send(Uint8Array.of(2));
    await t.next(socket, "message");
    t.equal(kinds, ["[object Blob]", "[object ArrayBuffer]"], "kinds");
  },
  "no bytes come as an empty buffer": async (t) => {
    const socket = await t.open();
    socket.binaryType = "arraybuffer";
    socket.send(new ArrayBuffer(0));
    t.equal((await t.next(socket, "message")).data.byteLength, 0, "byteLength");
  },
  "no bytes come as an empty Blob": async (t) => {
    const socket = await t.open();
    socket.send(new Uint8Array(0));
    t.equal((await t.next(socket, "message")).data.size, 0, "size");
  },
  "binaryType changes nothing for texts": async (t) => {
    const socket = t.dial(t.at("/greet"));
    socket.binaryType = "arraybuffer";
    t.equal((await t.next(socket, "message")).data, "hello", "data");
  },
  "texts and bytes come in the order in which they were sent": async (t) => {
    const socket = await t.open();
    socket.binaryType = "arraybuffer";
    const got = [];
    socket.onmessage = ({ data }) => got.push(typeof data === "string" ? data : new Uint8Array(data)[0]);
    for (let count = 0; count < 20; count += 1) {
      socket.send(count % 2 ? Uint8Array.of(count) : `${count}`);
    }
    while (got.length < 20) {
      await t.next(socket, "message");
    }
    t.equal(got.map(Number), Array.from({ length: 20 }, (_, index) => index), "messages");
  },
  "messages that come while the socket is closing are not dispatched": async (t) => {
    const socket = await t.open();
    const log = t.log(socket);
    socket.send("before");
    socket.close();
    await t.next(socket, "close");
    t.equal(log, ["close"], "events");
  },
  "the buffer belongs to the receiver": async (t) => {
    const data = await bytes(t, "arraybuffer");
    new Uint8Array(data)[0] = 9;
    t.equal(structuredClone(data, { transfer: [data] }).byteLength, 3, "byteLength of what was transferred");
    t.equal(data.byteLength, 0, "byteLength left");
  },
};
