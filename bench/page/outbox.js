/** The page of the part `outbox`. By the final number of waiting messages: how many are timed, in how many sockets, and how often. */
const ROUNDS = { 1: { timed: 1, sockets: 50, times: 20 }, 64: { timed: 16, sockets: 10, times: 10 }, 4096: { timed: 256, sockets: 2, times: 2 } };
/** Turns without a measurement. */
const WARM_UP = 5;

let EverSocket;
/** The sockets for each number of messages. They are reused, so that their code is compiled when it is measured. */
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

/** Queues messages without a key until this many wait. Returns the time of each of the last ones in ns. */
globalThis.slice = async (waiting) => {
  const { timed, sockets: count, times } = ROUNDS[waiting];
  const send = (socket, messages) => {
    for (; messages > 0; messages--) socket.send("x");
  };
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
      if (queuedMessages !== Number(waiting)) throw new Error(`${queuedMessages} messages are waiting, not ${waiting}`);
      socket.close();
    }
    // The closed socket discards its messages in a microtask.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return (spent * 1e6) / (timed * count * times);
};
