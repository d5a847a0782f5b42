import { event } from "./events.js";

/** How many messages may wait for a loop that has fallen behind. */
const MAX_UNREAD = 65_536;

/** A socket's messages as values. */
export class JsonView {
  #socket;
  #maxUnread;

  constructor(socket, { maxUnread = MAX_UNREAD } = {}) {
    this.#socket = socket;
    this.#maxUnread = maxUnread;
  }

  send(value, options) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError("JSON cannot hold this value: send null, or leave it out.");
    return this.#socket.send(text, options);
  }

  [Symbol.asyncIterator]() {
    return new Messages(this.#socket, this.#maxUnread);
  }
}

/** The messages from now on. */
class Messages {
  #socket;
  #maxUnread;
  #unread = [];
  #readers = [];
  #listeners = new AbortController();

  constructor(socket, maxUnread) {
    this.#socket = socket;
    this.#maxUnread = maxUnread;
    const { signal } = this.#listeners;
    socket.addEventListener("message", ({ data }) => this.#take(data), { signal });
    socket.addEventListener("close", () => this.return(), { signal });
    if (socket.readyState === 3) this.return();
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      if (this.#unread.length) give(reader, this.#unread.shift());
      else if (this.#listeners.signal.aborted) resolve({ value: undefined, done: true });
      else this.#readers.push(reader);
    });
  }

  /** Stops to listen; what was received before can still be read. */
  async return(value) {
    this.#listeners.abort();
    for (const { resolve } of this.#readers.splice(0)) resolve({ value: undefined, done: true });
    return { value, done: true };
  }

  #take(data) {
    const reader = this.#readers.shift();
    if (reader) return give(reader, data);
    this.#unread.push(data);
    if (this.#unread.length > this.#maxUnread) {
      const data = this.#unread.shift();
      const bytes = data.length ?? data.byteLength ?? data.size;
      this.#socket.dispatchEvent(event("drop", { reason: "unread", data, bytes, messages: 1 }));
    }
  }
}

function give({ resolve, reject }, data) {
  try {
    if (typeof data !== "string") throw new SyntaxError("A binary message is no JSON: listen to message events for it.");
    resolve({ value: JSON.parse(data), done: false });
  } catch (error) {
    reject(error);
  }
}
