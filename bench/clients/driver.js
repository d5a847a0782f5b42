/**
 * What a client under measurement has sent and received; the twin in JavaScript of what the wasm clients have in `wasm/support`.
 * A client's handler reports each message to it.
 */
export class Driver {
  #transmit;
  #payload = "";
  #received = 0;
  #sum = 0;
  #run = undefined;

  constructor(transmit) {
    this.#transmit = transmit;
  }

  /** Chooses what is sent from now on. */
  prepare(isText, size) {
    this.#payload = isText ? "x".repeat(size) : new Uint8Array(size).fill(120).buffer;
  }

  send() {
    this.#transmit(this.#payload);
  }

  received() {
    return this.#received;
  }

  sum() {
    return this.#sum;
  }

  /**
   * Sends so many messages, with so many on their way at a time, and calls `done` when all have come back; with `timed` one at a
   * time, and `done` gets their times in ms.
   */
  start(count, inFlight, timed, done) {
    const atOnce = timed ? 1 : Math.min(inFlight, count);
    const times = timed ? new Float64Array(count) : undefined;
    this.#run = { count, leftToSend: count - atOnce, leftToReceive: count, times, sent: performance.now(), done };
    for (let i = 0; i < atOnce; i++) this.send();
  }

  /** Waits for messages that the server pushes. */
  expect(count, done) {
    this.#run = { count, leftToSend: 0, leftToReceive: count, times: undefined, sent: 0, done };
  }

  /** A message has come in. */
  message(_data) {
    this.#received += 1;
    if (this.#run !== undefined) this.#advance(this.#run);
  }

  /** A tick has come in, as a value. Its prices are summed, which cannot be done without having read it. */
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

/** Makes the driver of a socket with the browser's interface, once it is open. */
export async function drive(socket, ticks) {
  const driver = new Driver((data) => socket.send(data));
  socket.binaryType = "arraybuffer";
  socket.onmessage = ticks ? (event) => driver.tick(JSON.parse(event.data)) : (event) => driver.message(event.data);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return driver;
}
