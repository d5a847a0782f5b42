import { Emitter } from "./emitter.js";
import { closeEvent, event } from "./events.js";

/** The browser's own socket, handed through: what `reconnect: false` asks for. */
export class Plain {
  #socket;

  constructor(target, WebSocket, args) {
    this.#socket = new WebSocket(...args);
    for (const type of ["open", "message", "error", "close"]) {
      this.#socket[`on${type}`] = (event) => hand(target, type, event);
    }
  }

  get url() {
    return this.#socket.url;
  }

  get readyState() {
    return this.#socket.readyState;
  }

  get bufferedAmount() {
    return this.#socket.bufferedAmount;
  }

  get extensions() {
    return this.#socket.extensions;
  }

  get protocol() {
    return this.#socket.protocol;
  }

  get binaryType() {
    return this.#socket.binaryType;
  }

  set binaryType(type) {
    this.#socket.binaryType = type;
  }

  send(...data) {
    return this.#socket.send(...data);
  }

  close(...args) {
    this.#socket.close(...args);
  }

  /** There is never another connection. */
  reconnect() {}

  get stats() {
    return undefined;
  }

  get serverTime() {
    return undefined;
  }

  ready() {
    return Promise.resolve();
  }
}

/** Passes on a socket's event, or one like it where the class of the socket has events of its own. */
export function hand(target, type, given) {
  if (given instanceof Event) Emitter.pass(target, type, given);
  else if (type === "message") target.dispatchEvent(new MessageEvent(type, { data: given.data }));
  else if (type === "close") target.dispatchEvent(closeEvent(given.code, given.reason, given.wasClean));
  else target.dispatchEvent(event(type, type === "error" ? { message: given.message, error: given.error } : {}));
}
