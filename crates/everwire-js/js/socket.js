import { parseAddress, parseProtocols } from "./arguments.js";
import { Driver } from "./driver.js";
import { Emitter } from "./emitter.js";
import { exception, hand } from "./events.js";
import { JsonView } from "./json.js";
import { readOptions } from "./options.js";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** See `types/index.d.ts`, which documents each member. */
export class EverSocket extends Emitter {
  /** What acts for this socket: the driver of a core, or the browser's own socket. */
  #actor;

  constructor(url, protocols = undefined, options = undefined) {
    super();
    if (!arguments.length) throw new TypeError("1 argument required: new EverSocket(url).");
    const { reconnect = true, signal, WebSocket = globalThis.WebSocket } = options ?? {};
    if (!WebSocket) throw exception("There is no WebSocket here: pass a class as the option WebSocket, such as that of the package ws.", "NotSupportedError");
    const isAsked = (source) => typeof source === "function";
    if (reconnect) {
      const address = isAsked(url) ? url : parseAddress(url);
      const offered = isAsked(protocols) ? protocols : parseProtocols(protocols);
      this.#actor = new Driver(this, WebSocket, address, offered, readOptions(options ?? {}));
    } else {
      if (isAsked(url) || isAsked(protocols)) {
        throw new TypeError("A function as address or protocols goes with reconnect: true; for a single connection add shouldReconnect: () => false.");
      }
      this.#actor = protocols === undefined ? new WebSocket(url) : new WebSocket(url, protocols);
      for (const type of ["open", "message", "error", "close"]) this.#actor[`on${type}`] = (event) => hand(this, type, event);
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

  get binaryType() {
    return this.#actor.binaryType;
  }

  set binaryType(type) {
    this.#actor.binaryType = type;
  }

  send(data, options = undefined) {
    if (!arguments.length) throw new TypeError("1 argument required: send(data).");
    return this.#actor.send(data, options);
  }

  close(code = undefined, reason = undefined) {
    this.#actor.close(code, reason);
  }

  reconnect() {
    this.#actor.reconnect?.();
  }

  async ready() {
    await this.#actor.ready?.();
  }

  json(options) {
    return new JsonView(this, options);
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
    const { prototype } = this;
    for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol", "stats", "serverTime"]) {
      Object.defineProperty(prototype, name, {
        get() {
          return this.#actor[name];
        },
        configurable: true,
      });
    }
    Emitter.attributes(this, ["open", "message", "error", "close", "reconnecting", "reconnected", "latency", "drop"]);
    for (const [name, value] of Object.entries(STATES)) {
      for (const holder of [this, prototype]) Object.defineProperty(holder, name, { value, enumerable: true });
    }
    // A class hides its members from enumeration; the browser's interfaces show theirs.
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (name !== "constructor") Object.defineProperty(prototype, name, { enumerable: true });
    }
  }
}
