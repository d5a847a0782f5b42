import { isProvider, parseAddress, parseProtocols, textsOf } from "./arguments.js";
import { checks } from "./checks.js";
import { logged, TRANSITIONS } from "./debug.js";
import { drive } from "./driver.js";
import { addHandlers, Emitter, show } from "./emitter.js";
import { closed, closeWith, DISPOSE, opened } from "./ending.js";
import { exception } from "./events.js";
import { jsonView } from "./json.js";
import { readOptions } from "./options.js";
import { declare, passOn, plainClass, plainSockets } from "./plain.js";

/** See `types/index.d.ts`, which documents each member. */
export class EverSocket extends Emitter {
  /** That of `driver.js`, or the platform's own socket. */
  #driver;
  /** Has the signal among the options close the socket: see `closeWith`. */
  #follow;

  constructor(url, protocols = undefined, options = undefined) {
    super();
    if (!arguments.length) throw new TypeError("1 argument required: new EverSocket(url).");
    checks?.construct(url, protocols, options);
    const { reconnect = true, signal, debug, WebSocket = globalThis.WebSocket } = options ?? {};
    if (!WebSocket) throw exception("There is no WebSocket here: pass the class of the package ws as option WebSocket.", "NotSupportedError");
    if (reconnect) {
      // All arguments are converted before any is checked (WebIDL).
      const address = isProvider(url) ? url : `${url}`;
      const offered = isProvider(protocols) ? protocols : textsOf(protocols);
      const sources = [isProvider(url) ? url : parseAddress(address), isProvider(protocols) ? protocols : parseProtocols(offered)];
      this.#driver = drive(this, debug ? logged(this, WebSocket) : WebSocket, sources, readOptions(options ?? {}));
    } else {
      this.#driver = passOn(this, new WebSocket(...(protocols === undefined ? [url] : [url, protocols])));
    }
    if (signal) this.#follow = closeWith(this, signal);
  }

  static with(options) {
    checks?.options(options);
    const { reconnect = true, WebSocket = globalThis.WebSocket, signal } = options;
    if (!reconnect && this === EverSocket) return plainClass(WebSocket, signal);
    return declare(
      class extends this {
        constructor(url, protocols = undefined, more = undefined) {
          super(...(arguments.length ? [url, protocols, { ...options, ...more }] : []));
        }
      },
    );
  }

  static [Symbol.hasInstance](value) {
    return super[Symbol.hasInstance](value) || (this === EverSocket && plainSockets.has(value));
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
    this.#driver.reconnect?.();
    this.#follow?.();
  }

  ready() {
    return this.#driver.ready?.() ?? opened(this);
  }

  json(options) {
    return jsonView(this, options);
  }

  [DISPOSE]() {
    return closed(this);
  }

  static {
    const { prototype } = this;
    for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol", "stats", "serverTime"]) {
      const attribute = {
        get [name]() {
          return this.#driver[name];
        },
      };
      Object.defineProperty(prototype, name, Object.getOwnPropertyDescriptor(attribute, name));
    }
    addHandlers(prototype, ["message", ...TRANSITIONS]);
    declare(this);
    show(prototype);
    Object.defineProperty(prototype, Symbol.toStringTag, { value: "WebSocket", configurable: true });
  }
}
