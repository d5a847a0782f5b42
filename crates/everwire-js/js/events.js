/** An event with more to tell. */
export const event = (type, fields) => Object.assign(new Event(type), fields);

/** Dispatches an event, also where a page has a method of that name of its own, or took the prototype away. */
export const dispatch = (target, event) => EventTarget.prototype.dispatchEvent.call(target, event);

/** A CloseEvent; Node.js before 23 has no such class. */
export function closeEvent({ code, reason, wasClean }) {
  const fields = { code, reason, wasClean };
  return globalThis.CloseEvent ? new CloseEvent("close", fields) : event("close", fields);
}

/** An exception as a WebSocket throws it. */
export const exception = (message, name) => new DOMException(message, name);

/** Reports an exception of a function that an application has passed, as that of a listener is. */
export const report = (error) =>
  queueMicrotask(() => {
    throw error;
  });
