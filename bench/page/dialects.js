const BRACE = "{".charCodeAt(0);

/** An echo server. The pings of a heartbeat are answered, and are no messages of the measurement. */
const plain = {
  greet() {},
  answer(socket, text) {
    if (text.charCodeAt(0) !== BRACE || !text.startsWith('{"ping":')) return false;
    socket.deliverLater(text);
    return true;
  },
  /** What comes in for a message: the data of one or more events. */
  frames: (payload) => [payload],
  tick: (json) => json,
};

/** A server that speaks Socket.IO over Engine.IO, as far as a client needs it to get connected. */
const socketIo = {
  greet(socket) {
    const handshake = { sid: "engine", upgrades: [], pingInterval: 1e8, pingTimeout: 20_000, maxPayload: 1e9 };
    socket.deliverLater(`0${JSON.stringify(handshake)}`);
  },
  answer(socket, text) {
    if (text === "40") socket.deliverLater('40{"sid":"socket"}');
    return text === "40" || text === "3";
  },
  /** A message with bytes in it is a text that describes it, and the bytes. */
  frames: (payload) =>
    typeof payload === "string" ? [`42["m",${JSON.stringify(payload)}]`] : ['451-["m",{"_placeholder":true,"num":0}]', payload],
  tick: (json) => `42["m",${json}]`,
};

/** The number of the next tick of a socket's channel. */
const next = (socket) => (socket.ticks = (socket.ticks ?? 0) + 1);

/** A server of `everwire.v1` with one channel. */
const everwire = {
  greet() {},
  answer(socket, text) {
    const limits = "time=1795219200000 heartbeat=25000 message=1048576 credits=64 subscriptions=256 expires=120000 acked=0";
    for (const line of text.split("\x1e")) {
      if (line.startsWith("hello")) socket.deliverLater(`welcome q3Zt generation=1 ${limits} secret=Jm4x`);
      if (line.startsWith("sub")) socket.deliverLater("subscribed ticks 9f.0.0");
    }
    return true;
  },
  tick: (json, socket) => `msg ticks 9f.${next(socket)}.1795219190000\n${json}`,
  join: (ticks) => ticks.join("\x1e"),
};

/** Centrifugo's protocol, with one channel. */
const centrifuge = {
  greet() {},
  answer(socket, text) {
    for (const line of text.split("\n").filter(Boolean)) {
      const { id, connect, subscribe } = JSON.parse(line);
      if (connect) socket.deliverLater(JSON.stringify({ id, connect: { client: "c", version: "6" } }));
      if (subscribe) socket.deliverLater(JSON.stringify({ id, subscribe: { epoch: "e", offset: 0 } }));
    }
    return true;
  },
  tick: (json, socket) => `{"push":{"channel":"ticks","pub":{"data":${json},"offset":${next(socket)}}}}`,
  join: (ticks) => ticks.join("\n"),
};

export const dialects = { plain, "socket.io": socketIo, everwire, centrifuge };
