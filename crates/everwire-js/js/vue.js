import { computed, getCurrentInstance, hasInjectionContext, inject, markRaw, onMounted, provide, shallowRef, toRaw, toValue, unref, watch } from "vue";
import { EverClient, EverError } from "everwire/client";
import { identity, latestOf } from "./lifetime.js";
import { ChannelView, GRACE, listenerOf, NO_CLIENT, NO_MEMBERS, NO_MESSAGES, PresenceView, watchClient } from "./views.js";

const PROVIDED = Symbol("everwire");

export const provideClient = (client) => provide(PROVIDED, client);

export const injectClient = () => (hasInjectionContext() ? inject(PROVIDED, null) : null);

export function useClient(url, options = {}) {
  const client = shallowRef(null);
  follow([() => identity(unref(url))], (_, onCleanup) => {
    const address = latestOf(unref(url), () => unref(url));
    const made = markRaw(new EverClient(address, { ...options, token: latestOf(options.token, () => options.token) }));
    client.value = made;
    onCleanup(() => {
      client.value = null;
      made.close();
    });
  });
  return client;
}

export function useClientState(own) {
  const client = clientOr(own);
  const shown = shallowRef(NO_CLIENT);
  follow([client], ([client], onCleanup) => {
    const stop = watchClient(client, (now) => (shown.value = now));
    onCleanup(() => {
      stop();
      shown.value = NO_CLIENT;
    });
  });
  return refsOf(shown);
}

export function useChannel(channel, options = {}) {
  const client = clientOr(options.client);
  const shown = shallowRef(ChannelView.peek(client(), toValue(channel), options));
  let own;
  follow([client, () => toValue(channel)], ([client, channel], onCleanup) => {
    const view = (own = ChannelView.for(client, channel, options, own));
    view.attach(listenerOf(() => options, (now) => (shown.value = now)));
    onCleanup(() => {
      view.detach(options.grace ?? GRACE);
      // Another channel's messages are not shown, not even once.
      shown.value = NO_MESSAGES;
    });
  });
  const publish = async (value, options) => {
    const to = [client(), toValue(channel)];
    if (!to.every(isGiven)) throw new EverError("closed", "There is no client or no channel yet: publish later.");
    return to[0].publish(to[1], value, options);
  };
  return { ...refsOf(shown), publish };
}

export function usePresence(channel, { client: own, grace = GRACE } = {}) {
  const client = clientOr(own);
  const shown = shallowRef(NO_MEMBERS);
  follow([client, () => toValue(channel)], ([client, channel], onCleanup) => {
    const view = PresenceView.for(client, channel);
    const show = (now) => (shown.value = now);
    view.attach(show);
    onCleanup(() => {
      view.detach(show, grace);
      shown.value = NO_MEMBERS;
    });
  });
  return refsOf(shown);
}

/**
 * Calls `use` with the values of the sources once the component is mounted, which it never is on a server, and again when they change; not
 * while one of them is missing. Where there is no component, as in a store, it does so at once.
 */
function follow(sources, use) {
  const isMounted = shallowRef(!getCurrentInstance());
  if (!isMounted.value) onMounted(() => (isMounted.value = true));
  const used = (values, _, onCleanup) => {
    if (isMounted.value && values.every(isGiven)) use(values, onCleanup);
  };
  // Functions alone: a shallow reference among them counts as changed each time.
  watch([...sources, () => isMounted.value], used, { immediate: true, flush: "sync" });
}

/** A client that a component was given, or else the one that is provided. Where it was made reactive, its private members are out of reach. */
function clientOr(own) {
  const client = own === undefined ? injectClient() : own;
  return () => toRaw(toValue(client)) ?? null;
}

const refsOf = (shown) => Object.fromEntries(Object.keys(shown.value).map((name) => [name, computed(() => shown.value[name])]));

const isGiven = (value) => value !== null && value !== undefined;
