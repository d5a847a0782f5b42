/** Node.js before 20.4 and most browsers of 2024 have no such symbol, and compilers then use this one. */
export const DISPOSE = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/** Closes a socket and waits for the end. */
export async function closed(socket) {
  socket.close();
  if (socket.readyState < 3) await new Promise((closed) => socket.addEventListener("close", closed, { once: true }));
}

/** Closes a socket when a signal aborts. */
export function closeWith(socket, signal) {
  const abort = () => socket.close();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  socket.addEventListener("close", () => signal.removeEventListener("abort", abort), { once: true });
}
