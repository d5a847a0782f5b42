import { byteLength } from "./arguments.js";

/** The messages that wait, by the key that the core knows them by. The core decides about them, and never sees them. */
export function createOutbox() {
  const messages = new Map();
  /** The numbers by which the core knows the application's keys, for as long as a message waits. */
  const numbers = new Map();
  const outbox = {
    bytes: 0,
    /** The key of the next message to be put here. */
    nextKey: 1,

    get size() {
      return messages.size;
    },

    /** Keeps a message; what may change under the sender's hands is copied, as the browser would. */
    put(data, options) {
      const bytes = byteLength(data);
      outbox.bytes += bytes;
      messages.set(outbox.nextKey, { data: copied(data), bytes, options });
      outbox.nextKey = (outbox.nextKey + 1) >>> 0 || 1;
    },

    take(key) {
      const message = messages.get(key);
      messages.delete(key);
      outbox.bytes -= message.bytes;
      if (!messages.size) numbers.clear();
      return message;
    },

    entries() {
      return messages.entries();
    },

    /** Takes out all, oldest first. */
    drain() {
      return [...messages.keys()].map(outbox.take);
    },

    /** The number that stands for the application's key; 0 for none. */
    numberOf(key) {
      if (key === undefined) return 0;
      const name = `${key}`;
      if (!numbers.has(name)) numbers.set(name, numbers.size + 1);
      return numbers.get(name);
    },
  };
  return outbox;
}

function copied(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return data instanceof ArrayBuffer ? data.slice(0) : data;
}
