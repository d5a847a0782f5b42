import { EverSocket } from "everwire";
import { useEffect, useInsertionEffect, useReducer, useRef, useState } from "react";

// What a component draws is state of its own, set by events, and nothing is read from the socket while React draws: so no two
// parts of a tree can show different moments of it, and `useSyncExternalStore`, which would make every drawing urgent, has no use.

const NONE = { socket: null, readyState: 3, reconnecting: null, roundTrip: undefined };
/** The events that change what a component sees. */
const SEEN = ["open", "close", "reconnecting", "latency"];
const TOLD = [...SEEN, "error", "reconnected", "drop"];

/** See `types/react.d.ts`. */
export function useEverSocket(url, { protocols, onMessage, onEvent, keep = 0, ...options } = {}) {
  const [seen, see] = useState(NONE);
  // Each message is an action of its own: React may draw several at once, and loses none.
  const [messages, receive] = useReducer(add, []);
  const latest = useRef();
  // Not while drawing: React may throw a drawing away.
  useInsertionEffect(() => {
    latest.current = { onMessage, onEvent, keep, protocols, options };
  });
  const held = useRef();
  // What a component writes down anew for each drawing is the same if it says the same.
  const address = url instanceof URL ? url.href : url;
  const offered = Array.isArray(protocols) ? protocols.join() : protocols;

  useEffect(() => {
    if (address === null || address === undefined) return undefined;
    const { socket, isNew } = hold(held, address, offered, latest.current);
    if (isNew) receive();
    const { signal, abort } = listening();
    const on = (type, listener) => socket.addEventListener(type, listener, { signal });
    for (const type of SEEN) on(type, (event) => see(snapshot(socket, event)));
    for (const type of TOLD) on(type, (event) => latest.current.onEvent?.(event));
    on("message", (event) => {
      const { onMessage, keep } = latest.current;
      onMessage?.(event);
      if (keep > 0) receive({ data: event.data, keep });
    });
    see(snapshot(socket));
    return () => {
      abort();
      see(NONE);
      letGo(held);
    };
  }, [address, offered]);

  return { ...seen, messages };
}

/**
 * Strict Mode takes a component off and puts it on again at once, and that is no reason for a second connection: a socket is closed
 * only when nothing has asked for it again by the next task.
 */
function hold(held, address, offered, { protocols, options }) {
  const before = held.current;
  if (before?.address === address && before.offered === offered) {
    clearTimeout(before.closing);
    return { socket: before.socket, isNew: false };
  }
  const socket = new EverSocket(address, protocols, options);
  held.current = { address, offered, socket };
  return { socket, isNew: true };
}

function letGo(held) {
  const { current } = held;
  current.closing = setTimeout(() => {
    if (held.current === current) held.current = undefined;
    current.socket.close();
  });
}

function listening() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function snapshot(socket, event) {
  const reconnecting = event?.type === "reconnecting" ? event : null;
  return { socket, readyState: socket.readyState, reconnecting, roundTrip: socket.stats?.latency.last };
}

/** Without a message: the beginning of another socket's. */
function add(messages, message) {
  if (!message) return [];
  return [...messages.slice(Math.max(messages.length + 1 - message.keep, 0)), message.data];
}
