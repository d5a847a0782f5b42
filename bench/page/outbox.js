/** By how many messages wait at the end: how many of them are timed, in how many sockets, and how often before a garbage collection. */
const ROUNDS = { 1: { timed: 1, sockets: 50, times: 20 }, 64: { timed: 16, sockets: 10, times: 10 }, 4096: { timed: 256, sockets: 2, times: 2 } };
/** Turns that are not measured. */
const WARM_UP = 5;

let EverSocket;
/** The sockets of each number of messages. */
const kept = {};

/** A WebSocket that never opens. */
class Dialling {
  bufferedAmount = 0;

  close() {}
}

const dial = (WebSocket = Dialling) => new EverSocket("ws://fake.invalid/", [], { WebSocket });

/** Loads EverSocket and its module. */
globalThis.prepare = async (path) => {
  ({ EverSocket } = await import(path));
  await new Promise((resolve) => {
    dial(
      class extends Dialling {
        constructor() {
          super();
          resolve();
        }
      },
    );
  });
  for (let turn = 0; turn < WARM_UP; turn++) for (const waiting of Object.keys(ROUNDS)) await slice(waiting);
};

/** Sends messages without a key that have to wait, until so many do. Returns the ns of each of the last. */
globalThis.slice = async (waiting) => {
  const { timed, sockets: count, times } = ROUNDS[waiting];
  const send = (socket, messages) => {
    for (; messages > 0; messages--) socket.send("x");
  };
  // Those of earlier turns, whose code has been compiled by now.
  const sockets = (kept[waiting] ??= Array.from({ length: count }, () => dial()));
  let spent = 0;
  globalThis.gc();
  for (let time = 0; time < times; time++) {
    for (const socket of sockets) {
      socket.reconnect();
      send(socket, waiting - timed);
    }
    const start = performance.now();
    for (const socket of sockets) send(socket, timed);
    spent += performance.now() - start;
    for (const socket of sockets) {
      const { queuedMessages } = socket.stats;
      if (queuedMessages !== Number(waiting)) throw new Error(`${queuedMessages} messages wait, not ${waiting}`);
      socket.close();
    }
    // What waited is discarded in a microtask.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return (spent * 1e6) / (timed * count * times);
};
