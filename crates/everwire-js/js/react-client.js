"use client";

import { createContext, createElement, useCallback, useContext, useEffect, useInsertionEffect, useRef, useState } from "react";
import { EverClient, EverError } from "everwire/client";
import { hold, identity, latestOf, release } from "./lifetime.js";
import { ChannelView, GRACE, listenerOf, NO_CLIENT, NO_MEMBERS, NO_MESSAGES, PresenceView, watchClient } from "./views.js";

export const ClientContext = createContext(null);

export const ClientProvider = ({ client, children }) => createElement(ClientContext.Provider, { value: client }, children);

/** The hook for a class of clients, which for `everwire/inline/react` has its wasm module with it. */
export const clientHookFor = (EverClient) =>
  function useClient(url, options = {}) {
    const [client, see] = useState(null);
    const latest = useLatest({ ...options, url });
    const held = useRef();
    const address = identity(url);

    useEffect(() => {
      if (address === null || address === undefined) return undefined;
      hold(held, [address], () => {
        const now = (name) => latestOf(latest.current[name], () => latest.current[name]);
        return new EverClient(now("url"), { ...options, token: now("token") });
      });
      see(held.current.connection);
      return () => {
        see(null);
        release(held);
      };
    }, [address]);

    return client;
  };

export const useClient = clientHookFor(EverClient);

export function useClientState(own) {
  const client = useClientOr(own);
  const [seen, see] = useState({});
  useEffect(() => (client ? watchClient(client, (shown) => see({ client, shown })) : undefined), [client]);
  return client && seen.client === client ? seen.shown : NO_CLIENT;
}

export function useChannel(channel, options = {}) {
  const client = useClientOr(options.client);
  const latest = useLatest({ ...options, client, channel });
  const held = useRef();
  const [seen, see] = useState(() => ({ client, channel, shown: ChannelView.peek(client, channel, options) }));

  useEffect(() => {
    if (!client || !isNamed(channel)) return undefined;
    const view = ChannelView.for(client, channel, options, held.current);
    held.current = view;
    view.attach(listenerOf(() => latest.current, (shown) => see({ client, channel, shown })));
    return () => view.detach(latest.current.grace ?? GRACE);
  }, [client, channel]);

  const publish = useCallback(async (value, options) => {
    const { client, channel } = latest.current;
    if (!client || !isNamed(channel)) throw new EverError("closed", "There is no client or no channel yet: publish later.");
    return client.publish(channel, value, options);
  }, []);

  // Another channel's messages are not shown, not even once.
  return { ...(seen.client === client && seen.channel === channel ? seen.shown : NO_MESSAGES), publish };
}

export function usePresence(channel, { client: own, grace = GRACE } = {}) {
  const client = useClientOr(own);
  const latest = useLatest({ grace });
  const [seen, see] = useState({});

  useEffect(() => {
    if (!client || !isNamed(channel)) return undefined;
    const view = PresenceView.for(client, channel);
    const show = (shown) => see({ client, channel, shown });
    view.attach(show);
    return () => view.detach(show, latest.current.grace);
  }, [client, channel]);

  return seen.client === client && seen.channel === channel && client ? seen.shown : NO_MEMBERS;
}

function useClientOr(own) {
  const provided = useContext(ClientContext);
  return own === undefined ? provided : own;
}

/** What a component has passed last; not while drawing, since React may throw a drawing away. */
function useLatest(value) {
  const latest = useRef();
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}

const isNamed = (channel) => channel !== null && channel !== undefined;
