/** The messages that wait, by the key that the core knows them by. The core decides about them, and never sees them. */
export function createOutbox() {
  const messages = new Map();
  /** The latest of the messages that wait, by the application's key. What does not wait is not here, whatever keys it has. */
  const latest = new Map();
  const outbox = {
    bytes: 0,
    /** The key of the next message to be put here. */
    nextKey: 1,

    get size() {
      return messages.size;
    },

    put(message) {
      message.number = outbox.numberOf(message.name);
      latest.set(message.name, message);
      outbox.bytes += message.bytes;
      messages.set(outbox.nextKey, message);
      outbox.nextKey = (outbox.nextKey + 1) >>> 0 || 1;
    },

    take(key) {
      const message = messages.get(key);
      messages.delete(key);
      outbox.bytes -= message.bytes;
      if (latest.get(message.name) === message) latest.delete(message.name);
      return message;
    },

    entries() {
      return messages.entries();
    },

    /** Takes out all, oldest first. */
    drain() {
      return [...messages.keys()].map(outbox.take);
    },

    /** The number by which the core knows the application's key `name`: that of the first message with it. 0 for none. */
    numberOf(name) {
      return name === undefined ? 0 : (latest.get(name)?.number ?? outbox.nextKey);
    },
  };
  return outbox;
}
