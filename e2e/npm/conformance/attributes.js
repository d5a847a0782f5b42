export default {
  "before the connection, attributes have their first values": (t) => {
    const url = t.at("/echo");
    const { readyState, bufferedAmount, extensions, protocol, binaryType, onopen, onmessage, onerror, onclose, ...rest } = t.dial(url, "chat");
    t.equal(
      [readyState, bufferedAmount, extensions, protocol, binaryType, onopen, onmessage, onerror, onclose, Object.keys(rest).length],
      [0, 0, "", "", "blob", null, null, null, null, 0],
      "values",
    );
  },
  "when it is open, readyState is 1": async (t) => t.equal((await t.open()).readyState, 1, "readyState"),
  "readyState is 1 already within the open event": async (t) => {
    const socket = t.dial(t.at("/echo"));
    t.equal(await new Promise((resolve) => (socket.onopen = () => resolve(socket.readyState))), 1, "readyState");
  },
  "readyState is 2 right after close, and 3 within the close event": async (t) => {
    const socket = await t.open();
    socket.close();
    t.equal(socket.readyState, 2, "readyState after close");
    const state = await new Promise((resolve) => (socket.onclose = () => resolve(socket.readyState)));
    t.equal(state, 3, "readyState within the event");
  },
  "url stays through all states": async (t) => {
    const url = t.at("/echo");
    const socket = t.dial(url);
    await t.next(socket, "open");
    t.equal(socket.url, url, "url when open");
    socket.close();
    await t.next(socket, "close");
    t.equal(socket.url, url, "url when closed");
  },
  "extensions is empty where the server chose none": async (t) => {
    const socket = await t.open();
    t.equal(socket.extensions, "", "extensions");
  },
  "binaryType can be set in every state": async (t) => {
    const socket = t.dial(t.at("/echo"));
    const set = (type) => ((socket.binaryType = type), t.equal(socket.binaryType, type, "binaryType"));
    set("arraybuffer");
    await t.next(socket, "open");
    t.equal(socket.binaryType, "arraybuffer", "binaryType when open");
    set("blob");
    socket.close();
    set("arraybuffer");
    await t.next(socket, "close");
    set("blob");
  },
  "a binaryType that does not exist is ignored": (t) => {
    const socket = t.dial(t.at("/echo"));
    for (const wrong of ["", "nodebuffer", "Blob", "ARRAYBUFFER", null, undefined, 0, {}, ["blob", "x"]]) {
      socket.binaryType = "arraybuffer";
      socket.binaryType = wrong;
      t.equal(socket.binaryType, "arraybuffer", `binaryType after ${String(wrong)}`);
    }
  },
  "binaryType is converted to text": (t) => {
    const socket = t.dial(t.at("/echo"));
    socket.binaryType = { toString: () => "arraybuffer" };
    t.equal(socket.binaryType, "arraybuffer", "binaryType");
    socket.binaryType = ["blob"];
    t.equal(socket.binaryType, "blob", "binaryType");
  },
  "a symbol as binaryType is a TypeError": (t) => {
    const socket = t.dial(t.at("/echo"));
    t.throws("TypeError", () => (socket.binaryType = Symbol("x")));
  },
  "what setting binaryType throws in the conversion is thrown": (t) => {
    const socket = t.dial(t.at("/echo"));
    let mine;
    try {
      socket.binaryType = { toString: () => { throw new RangeError("mine"); } };
    } catch (error) {
      mine = error;
    }
    t.ok(mine instanceof RangeError, "throwing what the conversion throws");
  },
};
