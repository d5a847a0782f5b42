import { differs, inWindow } from "../check.js";
import { foreignData, oddData, outcome } from "../odd-data.js";

async function echo(t, data) {
  const socket = await t.open();
  socket.binaryType = "arraybuffer";
  socket.send(data);
  const answer = (await t.next(socket, "message")).data;
  return typeof answer === "string" ? answer : [...new Uint8Array(answer)];
}

const buffer = () => Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer;

/** What is sent, and what arrives. */
const kinds = {
  "a text is sent as text": [() => "text", "text"],
  "an empty text is sent": [() => "", ""],
  "a lone surrogate is sent as the replacement character": [() => "a\ud800b\udfffc", "a\ufffdb\ufffdc"],
  "a pair of surrogates is one character": [() => "\ud83e\udd80", "🦀"],
  "an ArrayBuffer is sent as bytes": [buffer, [0, 1, 2, 3, 4, 5, 6, 7]],
  "a view is sent as the bytes that it shows": [() => new Uint8Array(buffer(), 2, 3), [2, 3, 4]],
  "a view of wider items is sent as bytes": [() => new Uint16Array(buffer(), 2, 2), [2, 3, 4, 5]],
  "a view of floating-point numbers is sent as bytes": [() => Float32Array.of(1), [0, 0, 128, 63]],
  "a view of big integers is sent as bytes": [() => BigInt64Array.of(1n), [1, 0, 0, 0, 0, 0, 0, 0]],
  "a clamped view is sent as bytes": [() => Uint8ClampedArray.of(300), [255]],
  "a DataView is sent as the bytes that it shows": [() => new DataView(buffer(), 6), [6, 7]],
  "a Blob is sent as bytes": [() => new Blob(["ab"]), [97, 98]],
  "a Blob with a type of text is sent as bytes all the same": [() => new Blob(["ab"], { type: "text/plain" }), [97, 98]],
  "a File is sent as bytes": [() => new File(["ab"], "name"), [97, 98]],
  "a slice of a Blob is sent": [() => new Blob(["abcd"]).slice(1, 3), [98, 99]],
  "a number is sent as its text": [() => 1.5, "1.5"],
  "NaN is sent as its text": [() => NaN, "NaN"],
  "a big integer is sent as its text": [() => 12n, "12"],
  "true is sent as its text": [() => true, "true"],
  "null is sent as its text": [() => null, "null"],
  "undefined is sent as its text": [() => undefined, "undefined"],
  "an object is sent as its text": [() => ({ toString: () => "mine" }), "mine"],
  "a plain object is sent as its text": [() => ({}), "[object Object]"],
  "an array is sent as its text": [() => [1, [2, 3]], "1,2,3"],
  "a function is sent as its text": [() => Object.assign(() => {}, { toString: () => "f" }), "f"],
  "a boxed text is sent as its text": [() => new String("boxed"), "boxed"],
  "a URL is sent as its text": [() => new URL("http://a/"), "http://a/"],
  "a date is sent as its text": [() => Object.assign(new Date(0), { toString: () => "date" }), "date"],
};

const asTheBrowsers = (table, where) =>
  Object.fromEntries(
    Object.entries(table).map(([name, make]) => [
      `${name} is sent or refused as the browser's own class does`,
      where(async (t) => t.equal(await outcome(t, t.Socket, make()), await outcome(t, WebSocket, make()), "outcome")),
    ]),
  );

export default {
  ...Object.fromEntries(Object.entries(kinds).map(([name, [data, got]]) => [name, async (t) => t.equal(await echo(t, data()), got, "what arrived")])),
  "send returns nothing": differs("send returns", async (t) => t.equal((await t.open()).send("x"), undefined, "result")),
  "send without an argument is a TypeError, in every state": async (t) => {
    const socket = t.dial(t.at("/echo"));
    t.throws("TypeError", () => socket.send());
    await t.next(socket, "open");
    t.throws("TypeError", () => socket.send());
    socket.close();
    t.throws("TypeError", () => socket.send());
  },
  "a symbol is a TypeError": async (t) => {
    const socket = await t.open();
    t.throws("TypeError", () => socket.send(Symbol("x")));
  },
  "an object that cannot become text is a TypeError": async (t) => {
    const socket = await t.open();
    t.throws("TypeError", () => socket.send(Object.create(null)));
  },
  "what a conversion throws is thrown": async (t) => {
    const socket = await t.open();
    let error;
    try {
      socket.send({ toString: () => { throw new RangeError("mine"); } });
    } catch (thrown) {
      error = thrown;
    }
    t.equal(error?.message, "mine", "message");
  },
  "a conversion comes before the look at the state": (t) => {
    const socket = t.dial(t.at("/echo"));
    t.throws("TypeError", () => socket.send(Symbol("x")));
  },
  ...asTheBrowsers(oddData, (test) => test),
  ...asTheBrowsers(foreignData, inWindow),
  "while it connects, send is an InvalidStateError": differs("send while connecting", (t) => {
    const socket = t.dial(t.at("/hang"));
    for (const data of ["x", new ArrayBuffer(1), new Blob(["x"]), Uint8Array.of(1)]) {
      t.equal(t.throws("InvalidStateError", () => socket.send(data)).code, 11, "code");
    }
    t.equal(socket.bufferedAmount, 0, "bufferedAmount");
  }),
  "while it closes and when it is closed, send throws nothing and sends nothing": async (t) => {
    const socket = await t.open();
    const { id } = t;
    socket.send("before");
    socket.close();
    socket.send("while");
    await t.next(socket, "close");
    socket.send("after");
    t.equal((await t.seen(id)).messages, ["before"], "what the server got");
  },
  "a buffer that is changed after send is sent as it was": async (t) => {
    const socket = await t.open();
    socket.binaryType = "arraybuffer";
    const bytes = Uint8Array.of(1, 2, 3);
    socket.send(bytes);
    socket.send(bytes.buffer);
    bytes.fill(9);
    for (const _ of [1, 2]) {
      t.equal([...new Uint8Array((await t.next(socket, "message")).data)], [1, 2, 3], "bytes");
    }
  },
  "a buffer can be transferred right after send": async (t) => {
    const socket = await t.open();
    socket.binaryType = "arraybuffer";
    const { buffer } = Uint8Array.of(1, 2, 3);
    socket.send(buffer);
    structuredClone(buffer, { transfer: [buffer] });
    t.equal([...new Uint8Array((await t.next(socket, "message")).data)], [1, 2, 3], "bytes");
  },
  "send does not detach a buffer": async (t) => {
    const socket = await t.open();
    const bytes = buffer();
    socket.send(bytes);
    t.equal(bytes.byteLength, 8, "byteLength");
  },
  "an object is converted once, when it is sent": async (t) => {
    const socket = await t.open();
    let calls = 0;
    socket.send({ toString: () => `${(calls += 1)}` });
    t.equal((await t.next(socket, "message")).data, "1", "data");
    t.equal(calls, 1, "calls");
  },
  "a text, a Blob and bytes keep their order": async (t) => {
    const socket = await t.open();
    const { id } = t;
    socket.send("one");
    socket.send(new Blob([Uint8Array.of(2)]));
    socket.send(Uint8Array.of(3));
    socket.send("four");
    socket.close();
    t.equal((await t.seen(id)).messages, ["one", "0x02", "0x03", "four"], "what the server got");
  },
  "what was sent right before close arrives": async (t) => {
    const socket = await t.open();
    const { id } = t;
    socket.send("last words");
    socket.close(1000, "bye");
    const { messages, code, reason } = await t.seen(id);
    t.equal([messages, code, reason], [["last words"], 1000, "bye"], "what the server saw");
  },
  "send from within the open event arrives": async (t) => {
    const socket = t.dial(t.at("/echo"));
    socket.onopen = () => socket.send("first");
    t.equal((await t.next(socket, "message")).data, "first", "data");
  },
  "send from within a message event arrives": async (t) => {
    const socket = t.dial(t.at("/greet"));
    socket.addEventListener("message", () => socket.send("back"), { once: true });
    await t.next(socket, "message");
    t.equal((await t.next(socket, "message")).data, "back", "data");
  },
  "further arguments of send are ignored": differs("send returns", async (t) => {
    const socket = await t.open();
    let touched = false;
    socket.send("x", new Proxy({}, { get: () => void (touched = true) }));
    t.equal((await t.next(socket, "message")).data, "x", "data");
    t.ok(!touched, "leaving the second argument alone");
  }),
};
