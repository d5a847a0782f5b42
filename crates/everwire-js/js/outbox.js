import { byteLength } from "./arguments.js";

/** The messages that wait, by the key that the core knows them by. The core decides about them, and never sees them. */
export class Outbox {
  #messages = new Map();
  #nextKey = 1;
  /** The numbers by which the core knows the application's keys, for as long as a message with that key waits. */
  #latest = new Map();
  bytes = 0;

  get size() {
    return this.#messages.size;
  }

  /** The key of the next message to be put here. */
  get nextKey() {
    return this.#nextKey;
  }

  /** Keeps a message; what may change under the sender's hands is copied, as the browser would. */
  put(data, options) {
    const bytes = byteLength(data);
    this.bytes += bytes;
    this.#messages.set(this.#nextKey, { data: copied(data), bytes, options });
    this.#nextKey = (this.#nextKey + 1) >>> 0 || 1;
  }

  take(key) {
    const message = this.#messages.get(key);
    this.#messages.delete(key);
    this.bytes -= message.bytes;
    if (!this.#messages.size) this.#latest.clear();
    return message;
  }

  /** Takes out all, oldest first. */
  *drain() {
    for (const key of [...this.#messages.keys()]) yield this.take(key);
  }

  entries() {
    return this.#messages.entries();
  }

  /** The number that stands for the application's key; 0 for none. */
  numberOf(key) {
    if (key === undefined) return 0;
    const name = String(key);
    if (!this.#latest.has(name)) this.#latest.set(name, this.#latest.size + 1);
    return this.#latest.get(name);
  }
}

function copied(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return data instanceof ArrayBuffer ? data.slice(0) : data;
}
