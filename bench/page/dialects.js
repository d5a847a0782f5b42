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
  tick: (json) => [json],
};

/** A server that speaks Socket.IO over Engine.IO, as far as a client needs it to get connected. */
const socketIo = {
  greet(socket) {
    const handshake = { sid: "engine", upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1e9 };
    socket.deliverLater(`0${JSON.stringify(handshake)}`);
  },
  answer(socket, text) {
    if (text === "40") socket.deliverLater('40{"sid":"socket"}');
    return text === "40" || text === "3";
  },
  /** A message with bytes in it is a text that describes it, and the bytes. */
  frames: (payload) =>
    typeof payload === "string" ? [`42["m",${JSON.stringify(payload)}]`] : ['451-["m",{"_placeholder":true,"num":0}]', payload],
  tick: (json) => [`42["m",${json}]`],
};

export const dialects = { plain, "socket.io": socketIo };
