import { byteLength } from "./arguments.js";
import { checks } from "./checks.js";
import { dispatch, event } from "./events.js";

/** How many messages may wait for a loop that has fallen behind. */
const MAX_UNREAD = 65_536;

/** A socket's messages as values. */
export class JsonView {
  #socket;
  #maxUnread;
  /** It stays here when a loop ends, for the next one. */
  #unread = [];

  constructor(socket, options) {
    checks?.json(options);
    this.#socket = socket;
    this.#maxUnread = options?.maxUnread ?? MAX_UNREAD;
  }

  send(value, options) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError("JSON cannot hold this value: send null.");
    return this.#socket.send(text, options);
  }

  async *[Symbol.asyncIterator]() {
    const socket = this.#socket;
    const unread = this.#unread;
    const listeners = new AbortController();
    const { signal } = listeners;
    let wake;
    socket.addEventListener(
      "message",
      ({ data }) => {
        unread.push(data);
        if (unread.length > this.#maxUnread) this.#letGo(unread.shift());
        wake?.();
      },
      { signal },
    );
    socket.addEventListener("close", () => wake?.(), { signal });
    try {
      while (unread.length || socket.readyState !== 3) {
        if (unread.length) yield parse(unread.shift());
        else await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      listeners.abort();
    }
  }

  #letGo(data) {
    dispatch(this.#socket, event("drop", { reason: "unread", data, bytes: byteLength(data), messages: 1 }));
  }
}

function parse(data) {
  if (typeof data !== "string") throw new SyntaxError("A binary message is no JSON.");
  return JSON.parse(data);
}
