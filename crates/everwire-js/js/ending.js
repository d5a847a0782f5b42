import { exception } from "./events.js";

/** Node.js before 20.4 and most browsers of 2024 have no such symbol, and compilers then use this one. */
export const DISPOSE = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

const next = (socket, ...types) =>
  new Promise((resolve) => types.forEach((type) => socket.addEventListener(type, resolve, { once: true })));

/** Waits until a socket is open that makes one connection. */
export async function opened(socket) {
  if (!socket.readyState) await next(socket, "open", "close");
  if (socket.readyState > 1) throw exception("The socket is closed: make a new one.", "InvalidStateError");
}

/** Closes a socket and waits for the end. */
export async function closed(socket) {
  socket.close();
  if (socket.readyState < 3) await next(socket, "close");
}

/**
 * Closes a socket when a signal aborts. The signal may outlive many sockets, so it knows of this one only while that is not closed: what
 * is returned has to be called when the socket begins again.
 */
export function closeWith(socket, signal) {
  const abort = () => socket.close();
  const follow = () => {
    if (socket.readyState > 2) signal.removeEventListener("abort", abort);
    else if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  };
  follow();
  socket.addEventListener("close", follow);
  return follow;
}
