import { useCallback, useEffect, useInsertionEffect, useReducer, useRef, useState } from "react";
import { hold, identity, latestOf, release } from "./lifetime.js";

// What a component draws is state of its own, set by events, and nothing is read from the socket while React draws: so no two
// parts of a tree can show different moments of it, and `useSyncExternalStore`, which would make every drawing urgent, has no use.

const NONE = { socket: null, readyState: null, reconnecting: null, roundTrip: undefined };
/** The events that change what a component sees. */
const SEEN = ["open", "close", "reconnecting", "latency"];
const TOLD = [...SEEN, "error", "reconnected", "drop"];

/** The hook for a class of sockets: see `types/react.d.ts`. */
export const hookFor = (EverSocket) =>
  function useEverSocket(url, { protocols, onMessage, onEvent, keep = 0, json = false, ...options } = {}) {
    const [seen, see] = useState(NONE);
    // Each message is an action of its own: React may draw several at once, and loses none.
    const [messages, receive] = useReducer(add, []);
    const latest = useRef();
    // Not while drawing: React may throw a drawing away.
    useInsertionEffect(() => {
      latest.current = { ...options, url, protocols, onMessage, onEvent, keep, json };
    });
    const held = useRef();
    const address = identity(url);
    const offered = identity(protocols);

    useEffect(() => {
      if (address === null || address === undefined) return undefined;
      const isNew = hold(held, [address, offered], () => make(EverSocket, latest, options));
      const socket = held.current.connection;
      if (isNew) receive();
      const { signal, abort } = listening();
      const on = (type, listener) => socket.addEventListener(type, listener, { signal });
      for (const type of SEEN) on(type, (event) => see(snapshot(socket, event)));
      for (const type of TOLD) on(type, (event) => latest.current.onEvent?.(event));
      on("message", (event) => {
        const { onMessage, keep, json } = latest.current;
        // What is no JSON is reported as any exception of a listener is, and goes no further.
        const data = json ? parse(event.data) : event.data;
        onMessage?.(event, data);
        if (keep > 0) receive({ data, keep });
      });
      see(snapshot(socket));
      return () => {
        abort();
        see(NONE);
        release(held);
      };
    }, [address, offered]);

    const send = useCallback((data, options) => {
      const socket = held.current?.connection;
      if (!socket) return "refused";
      return latest.current.json ? socket.json().send(data, options) : socket.send(data, options);
    }, []);

    return { ...seen, messages, send };
  };

/** Makes a socket that calls the latest of the functions which a component passes. */
function make(EverSocket, latest, options) {
  const { url, protocols } = latest.current;
  const now = (name, given) => latestOf(given, () => latest.current[name]);
  const shouldReconnect = now("shouldReconnect", options.shouldReconnect);
  return new EverSocket(now("url", url), now("protocols", protocols), { ...options, shouldReconnect });
}

function listening() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function snapshot(socket, event) {
  const reconnecting = event?.type === "reconnecting" ? event : null;
  return { socket, readyState: socket.readyState, reconnecting, roundTrip: socket.stats?.latency.last };
}

function parse(data) {
  if (typeof data !== "string") throw new SyntaxError("A binary message is no JSON.");
  return JSON.parse(data);
}

/** Without a message: the beginning of another socket's. */
function add(messages, message) {
  if (!message) return [];
  return [...messages.slice(Math.max(messages.length + 1 - message.keep, 0)), message.data];
}
