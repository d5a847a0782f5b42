/** From this size on as many bytes are copied as every socket has to copy of what it is to send; below, the cost is negligible. */
const LARGE = 4096;
const original = new Uint8Array(1 << 20);
const copied = new Uint8Array(1 << 20);

/**
 * A WebSocket without a network: what is sent is counted, and what comes in is handed to it by the page that measures.
 *
 * It calls the listeners of messages as plain functions, so that what a client adds is most of what is measured; or, where it
 * `isDispatching`, has the platform call them, as the browser's own class does. The events are real ones of the browser, each used
 * once as in life, and are made before the clock starts.
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

  /** The socket that was made last. */
  static latest = undefined;
  /** How many there were. */
  static made = 0;
  /** What the server on the other side does; see `dialects.js`. */
  static dialect = undefined;
  /** Whether sockets that are made from now on dispatch their messages. */
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
  /** How many messages were sent that are no conversation with the server. */
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
    FakeWebSocket.made += 1;
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

  /** Hands a message in. */
  deliver(event) {
    if (this.#isDispatching) return this.dispatchEvent(event);
    if (this.#onmessage !== null) this.#onmessage(event);
    const listeners = this.#messageListeners;
    for (let i = 0; i < listeners.length; i++) call(listeners[i], this, event);
  }

  /** Hands a text in when the caller is done, as a network would. */
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
