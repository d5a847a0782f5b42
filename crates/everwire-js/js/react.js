import { EverSocket } from "everwire";
import { useEffect, useReducer, useRef, useState } from "react";

const CLOSED = { socket: null, readyState: 3, reconnecting: null, roundTrip: undefined };
/** The events that change what a component sees. */
const SEEN = ["open", "close", "reconnecting", "latency"];

/** See `types/react.d.ts`. */
export function useEverSocket(url, { protocols, onMessage, keep = 0, onEvent, ...options } = {}) {
  const [seen, setSeen] = useState(CLOSED);
  // Each message is an action of its own: React may draw several at once, and loses none.
  const [messages, receive] = useReducer(add, []);
  const latest = useRef();
  latest.current = { onMessage, keep, onEvent, options };
  const held = useRef();
  const offered = Array.isArray(protocols) ? protocols.join() : protocols;

  useEffect(() => {
    if (url === null || url === undefined) return undefined;
    const socket = hold(held, url, protocols, offered, latest.current.options);
    const listeners = new AbortController();
    const { signal } = listeners;
    const look = (event) => setSeen(snapshot(socket, event));
    for (const type of SEEN) socket.addEventListener(type, look, { signal });
    for (const type of ["open", "close", "error", "reconnecting", "reconnected", "latency", "drop"]) {
      socket.addEventListener(type, (event) => latest.current.onEvent?.(event), { signal });
    }
    socket.addEventListener(
      "message",
      (event) => {
        latest.current.onMessage?.(event);
        if (latest.current.keep > 0) receive({ data: event.data, keep: latest.current.keep });
      },
      { signal },
    );
    setSeen(snapshot(socket));
    return () => {
      listeners.abort();
      setSeen(CLOSED);
      letGo(held, socket);
    };
  }, [url, offered]);

  return { ...seen, messages };
}

/**
 * Strict Mode takes a component off and puts it on again at once, and that is no reason for a second connection: a socket is closed
 * only when nothing has asked for it again by the next task.
 */
function hold(held, url, protocols, offered, options) {
  const before = held.current;
  if (before && before.url === url && before.offered === offered) {
    clearTimeout(before.closing);
    return before.socket;
  }
  const socket = new EverSocket(url, protocols, options);
  held.current = { url, offered, socket };
  return socket;
}

function letGo(held, socket) {
  const { current } = held;
  current.closing = setTimeout(() => {
    if (held.current === current) held.current = undefined;
    socket.close();
  });
}

function snapshot(socket, event) {
  const { readyState } = socket;
  const reconnecting = event?.type === "reconnecting" ? event : null;
  return { socket, readyState, reconnecting, roundTrip: socket.stats?.latency.last };
}

function add(messages, { data, keep }) {
  return [...messages.slice(Math.max(messages.length + 1 - keep, 0)), data];
}
