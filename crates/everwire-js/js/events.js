import { Emitter } from "./emitter.js";

/** An event with more to tell. */
export const event = (type, fields) => Object.assign(new Event(type), fields);

/** A CloseEvent; Node.js before 23 has no such class. */
export function closeEvent({ code, reason, wasClean }) {
  const fields = { code, reason, wasClean };
  return globalThis.CloseEvent ? new CloseEvent("close", fields) : event("close", fields);
}

/** An exception as a WebSocket throws it. */
export const exception = (message, name) => new DOMException(message, name);

/** Passes on a socket's event, or one like it where the class of the socket has events of its own. */
export function hand(target, type, given) {
  if (given instanceof Event) Emitter.pass(target, type, given);
  else if (type === "message") target.dispatchEvent(new MessageEvent(type, { data: given.data }));
  else if (type === "close") target.dispatchEvent(closeEvent(given));
  else target.dispatchEvent(event(type, { message: given.message, error: given.error }));
}
