/** The messages that wait, by the number that the core has given them; those that it has not seen yet by themselves. */
export function createOutbox() {
  const messages = new Map();
  /** The number of the latest message that waits, by the application's key. */
  const latest = new Map();
  const outbox = {
    bytes: 0,

    get size() {
      return messages.size;
    },

    put(message, id = message) {
      messages.set(id, message);
      outbox.bytes += message.bytes;
      if (message.key !== undefined) latest.set(message.key, id);
    },

    take(id) {
      const message = messages.get(id);
      messages.delete(id);
      outbox.bytes -= message.bytes;
      // Else a key of its own for each message would be kept for good.
      if (latest.get(message.key) === id) latest.delete(message.key);
      return message;
    },

    /** Takes out all, oldest first. */
    drain() {
      return [...messages.keys()].map(outbox.take);
    },

    /** The message that one with this key replaces; 0 for none. */
    idOf(key) {
      return latest.get(key) ?? 0;
    },
  };
  return outbox;
}
