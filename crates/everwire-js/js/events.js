/** An event with more to tell. */
export const event = (type, fields) => Object.assign(new Event(type), fields);

/** A CloseEvent; Node.js before 23 has no such class. */
export const closeEvent = (code, reason, wasClean) =>
  globalThis.CloseEvent
    ? new CloseEvent("close", { code, reason, wasClean })
    : event("close", { code, reason, wasClean });

/** An exception as a WebSocket throws it. */
export const exception = (message, name) => new DOMException(message, name);
