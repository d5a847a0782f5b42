import { parseAddress, parseProtocols } from "./arguments.js";
import { Driver } from "./driver.js";
import { Emitter } from "./emitter.js";
import { exception } from "./events.js";
import { JsonView } from "./json.js";
import { readOptions } from "./options.js";
import { Plain } from "./plain.js";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** See `types/index.d.ts`, which documents each member. */
export class EverSocket extends Emitter {
  /** What acts for this socket: the driver of a core, or the browser's own socket. */
  #acting;

  constructor(url, protocols = undefined, options = undefined) {
    if (!arguments.length) throw new TypeError("EverSocket needs an address: new EverSocket(url).");
    super();
    const { reconnect = true, signal, WebSocket = globalThis.WebSocket } = options ?? {};
    if (!WebSocket) {
      throw exception("There is no WebSocket here: pass a class as the option WebSocket, such as that of the package ws.", "NotSupportedError");
    }
    const isAsked = (source) => typeof source === "function";
    if (reconnect) {
      const address = isAsked(url) ? url : parseAddress(url);
      const offered = isAsked(protocols) ? protocols : parseProtocols(protocols);
      this.#acting = new Driver(this, WebSocket, address, offered, readOptions(options ?? {}));
    } else if (isAsked(url) || isAsked(protocols)) {
      throw new TypeError("A function for address or protocols needs reconnect: true; shouldReconnect: () => false makes one connection.");
    } else {
      this.#acting = new Plain(this, WebSocket, protocols === undefined ? [url] : [url, protocols]);
    }
    if (signal) this.#closeWith(signal);
  }

  static with(options) {
    return class extends this {
      constructor(url, protocols = undefined, more = undefined) {
        super(...(arguments.length ? [url, protocols, { ...options, ...more }] : []));
      }
    };
  }

  get url() {
    return this.#acting.url;
  }

  get readyState() {
    return this.#acting.readyState;
  }

  get bufferedAmount() {
    return this.#acting.bufferedAmount;
  }

  get extensions() {
    return this.#acting.extensions;
  }

  get protocol() {
    return this.#acting.protocol;
  }

  get binaryType() {
    return this.#acting.binaryType;
  }

  set binaryType(type) {
    this.#acting.binaryType = type;
  }

  send(data, options = undefined) {
    if (!arguments.length) throw new TypeError("send needs a message.");
    return this.#acting.send(data, options);
  }

  close(code = undefined, reason = undefined) {
    this.#acting.close(code, reason);
  }

  reconnect() {
    this.#acting.reconnect();
  }

  ready() {
    return this.#acting.ready();
  }

  json(options) {
    return new JsonView(this, options);
  }

  get stats() {
    return this.#acting.stats;
  }

  get serverTime() {
    return this.#acting.serverTime;
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    this.close();
    if (this.readyState !== STATES.CLOSED) await new Promise((closed) => this.addEventListener("close", closed, { once: true }));
  }

  get [Symbol.toStringTag]() {
    return "WebSocket";
  }

  #closeWith(signal) {
    const abort = () => this.close();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    this.addEventListener("close", () => signal.removeEventListener("abort", abort), { once: true });
  }

  static {
    Emitter.attributes(EverSocket, ["open", "message", "error", "close", "reconnecting", "reconnected", "latency", "drop"]);
    for (const [name, value] of Object.entries(STATES)) {
      for (const holder of [EverSocket, EverSocket.prototype]) Object.defineProperty(holder, name, { value, enumerable: true });
    }
    // A class hides its members from enumeration; the browser's interfaces show theirs.
    for (const name of Object.getOwnPropertyNames(EverSocket.prototype)) {
      if (name !== "constructor") Object.defineProperty(EverSocket.prototype, name, { enumerable: true });
    }
  }
}
