import { exception } from "./events.js";
import { jsonView } from "./json.js";
import { closed, closeWith, DISPOSE } from "./ending.js";

/** Every socket of the classes below, since they do not inherit from EverSocket. */
const plainSockets = new WeakSet();
export const isPlain = (socket) => plainSockets.has(socket);

/**
 * The class of a socket that is never made again: the browser's own, so that no page can tell it from that, and what EverSocket adds
 * where it cannot get in the way.
 */
export function plainClass(WebSocket, signal) {
  class Plain extends WebSocket {
    constructor(url, protocols = undefined) {
      super(...[url, protocols].slice(0, arguments.length));
      plainSockets.add(this);
      if (signal) closeWith(this, signal);
    }

    /** There is never another connection. */
    reconnect() {}

    async ready() {
      if (!this.readyState) {
        await new Promise((settled) => ["open", "close"].forEach((type) => this.addEventListener(type, settled, { once: true })));
      }
      if (this.readyState > 1) throw exception("The socket is closed: make a new one.", "InvalidStateError");
    }

    json(options) {
      return jsonView(this, options);
    }

    [DISPOSE]() {
      return closed(this);
    }
  }
  return named(Plain);
}

/** Gives a class its public name, which a minifier takes away. */
export const named = (Class) => Object.defineProperty(Class, "name", { value: "EverSocket", configurable: true });
