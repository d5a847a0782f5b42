/**
 * Adapters: each opens a client library for the measurements, as an application would use it, and returns a {@link Driver}. They are
 * handed the library, so that the bundle of a client contains nothing of another one. `clients.js` has the table.
 */

/**
 * Sends messages and counts what comes back. A client's handler reports each message to it. The wasm clients have the same in Rust,
 * in `wasm/support`.
 */
export class Driver {
  #transmit;
  #payload = "";
  #received = 0;
  #sum = 0;
  #run = undefined;

  constructor(transmit = () => {}) {
    this.#transmit = transmit;
  }

  /** Selects the payload of the following messages. */
  prepare(isText, size) {
    this.#payload = isText ? "x".repeat(size) : new Uint8Array(size).fill(120).buffer;
  }

  send() {
    this.#transmit(this.#payload);
  }

  /** The number of received messages. */
  received() {
    return this.#received;
  }

  /** The sum of the prices in all received ticks. */
  sum() {
    return this.#sum;
  }

  /**
   * Sends `count` messages with `inFlight` at a time, and calls `done` when all have come back. With `timed` there is one in flight, and
   * `done` gets the round trips in ms.
   */
  start(count, inFlight, timed, done) {
    const atOnce = timed ? 1 : Math.min(inFlight, count);
    const times = timed ? new Float64Array(count) : undefined;
    this.#run = { count, leftToSend: count - atOnce, leftToReceive: count, times, sent: performance.now(), done };
    for (let i = 0; i < atOnce; i++) this.send();
  }

  /** Calls `done` after `count` messages that the server pushes. */
  expect(count, done) {
    this.#run = { count, leftToSend: 0, leftToReceive: count, times: undefined, sent: 0, done };
  }

  /** Reports a received message. */
  message(_data) {
    this.#received += 1;
    if (this.#run !== undefined) this.#advance(this.#run);
  }

  /** Reports a received tick, as a value. Summing the prices makes sure that it was decoded. */
  tick(tick) {
    const { updates } = tick;
    for (let i = 0; i < updates.length; i++) this.#sum += updates[i].price;
    this.message(tick);
  }

  #advance(run) {
    if (run.times !== undefined) {
      const now = performance.now();
      run.times[run.count - run.leftToReceive] = now - run.sent;
      run.sent = now;
    }
    run.leftToReceive -= 1;
    if (run.leftToReceive === 0) {
      this.#run = undefined;
      run.done(run.times);
    } else if (run.leftToSend > 0) {
      run.leftToSend -= 1;
      this.send();
    }
  }
}

/** A class with the interface of the browser's WebSocket, with handlers. */
export const webSocket = (Socket) => async (url, ticks) => {
  const socket = new Socket(url);
  const driver = new Driver((data) => socket.send(data));
  socket.binaryType = "arraybuffer";
  socket.onmessage = ticks ? (event) => driver.tick(JSON.parse(event.data)) : (event) => driver.message(event.data);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return driver;
};

/** Ticks by a loop over the JSON view of EverSocket. */
export const jsonView = (EverSocket) => async (url) => {
  const socket = new EverSocket(url);
  const driver = new Driver((data) => socket.send(data));
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  (async () => {
    for await (const tick of socket.json()) driver.tick(tick);
  })();
  return driver;
};

/** Ticks by a loop over the items of a subscription of EverClient. */
export const channelItems = (EverClient) => async (url) => {
  const client = new EverClient(url);
  const driver = new Driver();
  const ticks = client.subscribe("ticks");
  await new Promise((resolve) => client.addEventListener("attached", resolve, { once: true }));
  (async () => {
    for await (const item of ticks) if (item.type === "message") driver.tick(item.value);
  })();
  await subscribed(ticks);
  return driver;
};

/** Ticks by a handler of a subscription of EverClient. */
export const channelHandler = (EverClient) => async (url) => {
  const client = new EverClient(url);
  const driver = new Driver();
  const ticks = client.subscribe("ticks");
  ticks.onmessage = ({ value }) => driver.tick(value);
  await subscribed(ticks);
  return driver;
};

/** A subscription has a cursor once the server has answered it. */
async function subscribed(subscription) {
  while (subscription.cursor === undefined) await new Promise((resolve) => setTimeout(resolve));
}

/** Ticks of a subscription of centrifuge-js. */
export const centrifugeChannel = (Centrifuge) => async (url) => {
  const client = new Centrifuge(url);
  const driver = new Driver();
  const ticks = client.newSubscription("ticks");
  ticks.on("publication", ({ data }) => driver.tick(data));
  const subscribed = new Promise((resolve) => ticks.on("subscribed", resolve));
  ticks.subscribe();
  client.connect();
  await subscribed;
  return driver;
};

/** Events of socket.io-client, which speaks its own protocol to its own server. It starts with WebSocket, without long polling. */
export const socketIo = (io) => async (url, ticks) => {
  const socket = io(url.replace(/^ws/, "http"), { transports: ["websocket"] });
  const driver = new Driver((data) => socket.emit("m", data));
  socket.on("m", ticks ? (tick) => driver.tick(tick) : (data) => driver.message(data));
  await new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  return driver;
};

/** A client in Rust, whose exported class is a driver. */
export const wasm = (init, Client, open) => async (url, ticks) => {
  await init();
  return Client[open](url, ticks);
};
