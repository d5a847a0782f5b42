import { parseAddress, parseProtocols, textsOf } from "./arguments.js";
import { checks } from "./checks.js";
import { drive } from "./driver.js";
import { Emitter } from "./emitter.js";
import { closed, closeWith, DISPOSE } from "./ending.js";
import { exception } from "./events.js";
import { jsonView } from "./json.js";
import { readOptions } from "./options.js";
import { isPlain, named, plainClass } from "./plain.js";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** See `types/index.d.ts`, which documents each member. */
export class EverSocket extends Emitter {
  #driver;

  constructor(url, protocols = undefined, options = undefined) {
    super();
    if (!arguments.length) throw new TypeError("1 argument required: new EverSocket(url).");
    checks?.construct(url, protocols, options);
    const { reconnect = true, signal, WebSocket = globalThis.WebSocket } = options ?? {};
    if (!WebSocket) throw exception("There is no WebSocket here: pass the class of the package ws as option WebSocket.", "NotSupportedError");
    const isAsked = (source) => typeof source === "function";
    if (!reconnect) return new (plainClass(WebSocket, signal))(...(protocols === undefined ? [url] : [url, protocols]));
    // All arguments are converted before any is checked (WebIDL).
    const address = isAsked(url) ? url : `${url}`;
    const offered = isAsked(protocols) ? protocols : textsOf(protocols);
    const sources = [isAsked(url) ? url : parseAddress(address), isAsked(protocols) ? protocols : parseProtocols(offered)];
    this.#driver = drive(this, WebSocket, sources, readOptions(options ?? {}));
    if (signal) closeWith(this, signal);
  }

  static with(options) {
    checks?.options(options);
    const { reconnect, WebSocket = globalThis.WebSocket, signal } = options;
    if (reconnect === false) return plainClass(WebSocket, signal);
    return named(
      class extends this {
        constructor(url, protocols = undefined, more = undefined) {
          super(...(arguments.length ? [url, protocols, { ...options, ...more }] : []));
        }
      },
    );
  }

  static [Symbol.hasInstance](value) {
    return super[Symbol.hasInstance](value) || (this === EverSocket && isPlain(value));
  }

  get binaryType() {
    return this.#driver.binaryType;
  }

  set binaryType(type) {
    this.#driver.binaryType = type;
  }

  send(data, options = undefined) {
    if (!arguments.length) throw new TypeError("1 argument required: send(data).");
    checks?.send(options);
    return this.#driver.send(data, options);
  }

  close(code = undefined, reason = undefined) {
    this.#driver.close(code, reason);
  }

  reconnect() {
    this.#driver.reconnect();
  }

  ready() {
    return this.#driver.ready();
  }

  json(options) {
    return jsonView(this, options);
  }

  [DISPOSE]() {
    return closed(this);
  }

  static {
    const { prototype } = named(this);
    for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol", "stats", "serverTime"]) {
      const attribute = {
        get [name]() {
          return this.#driver[name];
        },
      };
      Object.defineProperty(prototype, name, Object.getOwnPropertyDescriptor(attribute, name));
    }
    Emitter.attributes(this, ["open", "message", "error", "close", "reconnecting", "reconnected", "latency", "drop"]);
    for (const [name, value] of Object.entries(STATES)) {
      for (const holder of [this, prototype]) Object.defineProperty(holder, name, { value, enumerable: true });
    }
    // A class hides its members from enumeration; the browser's interfaces show theirs.
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (name !== "constructor") Object.defineProperty(prototype, name, { enumerable: true });
    }
    Object.defineProperty(prototype, Symbol.toStringTag, { value: "WebSocket", configurable: true });
  }
}
