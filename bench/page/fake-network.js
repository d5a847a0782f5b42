/** A WebSocket without a network, the servers at its other end, and the ticks that servers push. */

/** From this size on, sending copies as many bytes as every real socket has to copy. Below, that cost is negligible. */
const LARGE = 4096;
const original = new Uint8Array(1 << 20);
const copied = new Uint8Array(1 << 20);

/**
 * A WebSocket without a network: it counts what is sent, and the measuring page delivers what comes in.
 *
 * It calls the message listeners as plain functions, so that most of the measured time is the client's; or, with `isDispatching`, it
 * has the platform dispatch the event, as the browser's own class does. The events are real events of the browser, created before the
 * clock starts, and each is used once.
 */
export class FakeWebSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  CONNECTING = 0;
  OPEN = 1;
  CLOSING = 2;
  CLOSED = 3;

  /** The socket that was created last. */
  static latest = undefined;
  /** The server at the other end, one of `dialects`. */
  static dialect = undefined;
  /** Whether sockets that are created from now on dispatch their messages. */
  static isDispatching = false;

  url;
  readyState = 0;
  bufferedAmount = 0;
  extensions = "";
  protocol = "";
  binaryType = "blob";
  onopen = null;
  onerror = null;
  onclose = null;
  /** The number of sent messages, without those that the server answers itself. */
  sent = 0;

  #listeners = { open: [], message: [], error: [], close: [] };
  #messageListeners = this.#listeners.message;
  #onmessage = null;
  #isDispatching = FakeWebSocket.isDispatching;

  constructor(url, protocols = []) {
    super();
    this.url = String(url);
    this.protocol = [protocols].flat()[0] ?? "";
    FakeWebSocket.latest = this;
    setTimeout(() => this.#open());
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    if (this.#isDispatching) {
      super.removeEventListener("message", this.#onmessage);
      super.addEventListener("message", handler);
    }
    this.#onmessage = handler;
  }

  addEventListener(type, listener, options) {
    if (this.#isDispatching && type === "message") return super.addEventListener(type, listener, options);
    const once = typeof options === "object" && options?.once;
    this.#listeners[type].push(once ? this.#once(type, listener) : listener);
    if (typeof options === "object") options?.signal?.addEventListener("abort", () => this.removeEventListener(type, listener));
  }

  removeEventListener(type, listener) {
    if (this.#isDispatching && type === "message") return super.removeEventListener(type, listener);
    const listeners = this.#listeners[type];
    const index = listeners.findIndex((one) => one === listener || one.original === listener);
    if (index >= 0) listeners.splice(index, 1);
  }

  send(data) {
    if (typeof data === "string" && FakeWebSocket.dialect.answer(this, data)) return;
    this.sent += 1;
    const size = data.length ?? data.byteLength;
    if (size >= LARGE) copied.set(original.subarray(0, size));
  }

  /** Delivers a message. */
  deliver(event) {
    if (this.#isDispatching) return this.dispatchEvent(event);
    if (this.#onmessage !== null) this.#onmessage(event);
    const listeners = this.#messageListeners;
    for (let i = 0; i < listeners.length; i++) call(listeners[i], this, event);
  }

  /** Delivers a text in another task, as a network would. */
  deliverLater(text) {
    setTimeout(() => this.readyState === 1 && this.deliver(new MessageEvent("message", { data: text })));
  }

  close(code = 1005, reason = "") {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    setTimeout(() => this.#end(code, reason, true));
  }

  /** The connection is lost. */
  cut() {
    this.#end(1006, "", false);
  }

  #open() {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.#fire("open", new Event("open"));
    FakeWebSocket.dialect.greet(this);
  }

  #end(code, reason, wasClean) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#fire("close", new CloseEvent("close", { code, reason, wasClean }));
  }

  #fire(type, event) {
    this[`on${type}`]?.(event);
    for (const listener of [...this.#listeners[type]]) call(listener, this, event);
  }

  #once(type, listener) {
    const wrapper = (event) => {
      this.removeEventListener(type, wrapper);
      call(listener, this, event);
    };
    wrapper.original = listener;
    return wrapper;
  }
}

function call(listener, socket, event) {
  if (typeof listener === "function") listener.call(socket, event);
  else listener.handleEvent(event);
}

const BRACE = "{".charCodeAt(0);

/** An echo server. It answers the pings of a heartbeat, which are not measured. */
const plain = {
  greet() {},
  answer(socket, text) {
    if (text.charCodeAt(0) !== BRACE || !text.startsWith('{"ping":')) return false;
    socket.deliverLater(text);
    return true;
  },
  /** The data of the events that answer a message. */
  frames: (payload) => [payload],
  tick: (json) => json,
};

/** A server that speaks Socket.IO over Engine.IO, as far as a client needs it to connect. */
const socketIo = {
  greet(socket) {
    const handshake = { sid: "engine", upgrades: [], pingInterval: 1e8, pingTimeout: 20_000, maxPayload: 1e9 };
    socket.deliverLater(`0${JSON.stringify(handshake)}`);
  },
  answer(socket, text) {
    if (text === "40") socket.deliverLater('40{"sid":"socket"}');
    return text === "40" || text === "3";
  },
  /** A binary message is a text that describes it, and the bytes. */
  frames: (payload) =>
    typeof payload === "string" ? [`42["m",${JSON.stringify(payload)}]`] : ['451-["m",{"_placeholder":true,"num":0}]', payload],
  tick: (json) => `42["m",${json}]`,
};

/** The offset of the next tick of a socket's channel. */
const next = (socket) => (socket.ticks = (socket.ticks ?? 0) + 1);

/** A server of `everwire.v1` with one channel. */
const everwire = {
  greet() {},
  answer(socket, text) {
    const limits = "time=1795219200000 heartbeat=25000 message=1048576 credits=64 subscriptions=256 expires=120000 acked=0";
    for (const line of text.split("\x1e")) {
      // Without an answer, a client that waits for its turn for long would lose its connection.
      if (line.startsWith("ping ")) socket.deliverLater(`pong ${line.slice("ping ".length)} 1795219200000`);
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

/** The servers by their dialect: `answer` returns whether a text was part of the protocol and not a measured message. */
export const dialects = { plain, "socket.io": socketIo, everwire, centrifuge };

const SYMBOLS = ["NVDA", "AAPL", "MSFT", "AMZN", "GOOG", "META", "TSLA", "AVGO", "ORCL", "NFLX"];

/** JSON texts in the form of the companion server's `/ticker`, all different, of about this many characters. */
export function ticks(characters, count) {
  return Array.from({ length: count }, (_, index) => tick(characters, index * 1000));
}

function tick(characters, first) {
  const updates = [];
  const time = 1_790_000_000_000.125 + first;
  const text = () => JSON.stringify({ type: "updates", server_time: time, updates });
  for (let seq = first; ; seq++) {
    updates.push({ seq, symbol: SYMBOLS[seq % SYMBOLS.length], price: (10_000 + ((seq * 7919) % 9973)) / 100, time });
    if (text().length + 40 > characters) return text();
  }
}
