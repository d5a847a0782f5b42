// What a message may be beside texts and plain bytes. Browsers do not agree about all of it.

const buffer = () => Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer;
const growing = () => new ArrayBuffer(4, { maxByteLength: 8 });
const shared = () => {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Uint8Array(buffer).set([7, 8, 9]);
  return buffer;
};
/** Transfers the buffer of some bytes, and gives what is left of them. */
const transferred = (bytes) => {
  const of = bytes.buffer ?? bytes;
  structuredClone(of, { transfer: [of] });
  return bytes;
};
/** Shrinks the buffer of a view until it does not reach the view any more. */
const cut = (view) => {
  view.buffer.resize(1);
  return view;
};

export const oddData = {
  "shared memory": shared,
  "a view of shared memory": () => new Uint8Array(shared(), 0, 3),
  "a DataView of shared memory": () => new DataView(shared(), 0, 3),
  "a buffer that can grow": growing,
  "a view of a buffer that can grow": () => new Uint8Array(growing()),
  "a DataView of a buffer that can grow": () => new DataView(growing()),
  "a view that its buffer does not reach any more": () => cut(new Uint8Array(growing(), 2, 2)),
  "a DataView that its buffer does not reach any more": () => cut(new DataView(growing(), 2, 2)),
  "a buffer that was transferred": () => transferred(buffer()),
  "a view of a buffer that was transferred": () => transferred(new Uint8Array(buffer())),
  "a DataView of a buffer that was transferred": () => transferred(new DataView(buffer())),
  "an empty buffer": () => new ArrayBuffer(0),
  "an empty Blob": () => new Blob([]),
  "what only looks like a buffer": () => ({ byteLength: 3 }),
  "what only says that it is a Blob": () => ({ [Symbol.toStringTag]: "Blob", size: 3, slice: () => "abc", toString: () => "mine" }),
};

/** The classes of another realm. They need a window. */
const other = () => {
  const frame = document.createElement("iframe");
  document.body.append(frame);
  return frame.contentWindow;
};

export const foreignData = {
  "a Blob of another realm": () => new (other().Blob)(["abc"]),
  "a File of another realm": () => new (other().File)(["abc"], "name"),
  "a buffer of another realm": () => other().Uint8Array.of(1, 2, 3).buffer,
  "a view of another realm": () => other().Uint8Array.of(1, 2, 3),
  "a DataView of another realm": () => new (other().DataView)(other().Uint8Array.of(1, 2, 3).buffer, 1),
  "a boxed text of another realm": () => new (other().String)("abc"),
};

/**
 * What came of sending it: the text or the bytes that came back, or the name of the error. With `isEarly` it is sent before the
 * socket is open.
 */
export async function outcome(t, Socket, data, isEarly) {
  const socket = t.track(new Socket(t.at("/echo")));
  socket.binaryType = "arraybuffer";
  if (!isEarly) await t.next(socket, "open");
  try {
    socket.send(data);
    const answer = (await t.next(socket, "message")).data;
    return typeof answer === "string" ? answer : [...new Uint8Array(answer)];
  } catch (error) {
    return error.name;
  } finally {
    socket.close();
  }
}
