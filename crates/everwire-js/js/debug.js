import { checks } from "./checks.js";

/** The types of all events but messages, which are the application's own, and many. */
export const TRANSITIONS = ["open", "error", "close", "reconnecting", "reconnected", "latency", "drop"];

/**
 * Logs each transition of a socket, in words where `development.js` is there. Returns the class to dial with in place of `WebSocket`,
 * since an attempt has no event.
 */
export function logged(socket, WebSocket) {
  const log = (event) => console.debug(`[everwire] ${checks?.describe(event) ?? event.type}`, event);
  for (const type of TRANSITIONS) socket.addEventListener(type, log);
  return class extends WebSocket {
    constructor(...args) {
      log({ type: "connecting", url: args[0] });
      super(...args);
    }
  };
}
