// What components show of a client, without the framework that draws them: the React hooks and the Vue composables are thin layers over
// these. A component attaches to a view while it is mounted. When it is unmounted, the subscription stays for a grace time: routes change
// and lists are sorted, and the server should not notice.
import { report } from "./events.js";

/** How many items may wait for a component to come back, and the length of their payloads. Then its subscription ends early. */
const MAX_WAITING = 1_024;
const MAX_WAITING_SIZE = 4 << 20;
/** How many messages are kept, and how long a subscription stays after its component, in ms. */
const KEEP = 100;
export const GRACE = 5_000;

export const NO_MESSAGES = { messages: [], gap: null, error: null, hasCaughtUp: false, snapshot: undefined };
export const NO_MEMBERS = { members: [], error: null };
export const NO_CLIENT = { state: null, reconnecting: null, roundTrip: undefined, error: null };

/** Views whose component is unmounted and may come back: of each client, by their keys. */
const parked = new WeakMap();
/** Presences by the names of their channels, of each client. */
const presences = new WeakMap();

/**
 * The messages of a channel, for one component at a time. Its listener has `item(item)`, which is called with each item, once and in order;
 * `show(shown)`, called once for all that came together; `load(cursor)` for snapshots; and `keep`, how many messages are shown.
 */
export class ChannelView {
  #client;
  #channel;
  #options;
  #key;
  #listener;
  #isAttached = false;
  #subscription;
  /** Where the next subscription goes on. */
  #cursor;
  /** What came while no component was attached. */
  #waiting = [];
  #waitingSize = 0;
  #grace;
  /** Ended by the server, or with the client. */
  #isOver = false;
  #shown;
  #isStale = false;
  #isNotified = false;
  #messages = [];
  /** Of a state channel the latest message of each key, and what is shown while these come again after a gap. */
  #latest;
  #replaced;

  /** The view for a component: its own from before, one of the same channel and options that was left by another, or a new one. */
  static for(client, channel, options, own) {
    const key = keyOf(channel, options);
    const isUsable = own && own.#client === client && own.#key === key && !own.#isAttached && !own.#isOver;
    return isUsable ? own : (first(client, key) ?? new ChannelView(client, channel, options, key));
  }

  /** What a component that is about to be mounted will show, so that it does not begin empty. */
  static peek(client, channel, options) {
    const view = client && first(client, keyOf(channel, options));
    return view ? view.shown : NO_MESSAGES;
  }

  constructor(client, channel, options, key) {
    this.#client = client;
    this.#channel = channel;
    this.#options = options;
    this.#key = key;
    if (options.state) this.#latest = new Map();
    const startsLive = options.from === undefined && options.last === undefined && !options.state;
    this.#shown = { ...NO_MESSAGES, hasCaughtUp: startsLive };
  }

  get shown() {
    if (this.#isStale) this.#refresh();
    return this.#shown;
  }

  attach(listener) {
    clearTimeout(this.#grace);
    this.#unpark();
    this.#listener = listener;
    this.#isAttached = true;
    if (!this.#subscription) this.#subscribe(this.#cursor && { from: this.#cursor });
    for (const item of this.#waiting.splice(0)) this.#take(item);
    this.#waitingSize = 0;
    listener.show(this.shown);
  }

  /** Leaves the subscription alone for `grace` ms. */
  detach(grace) {
    this.#isAttached = false;
    if (this.#isOver) return;
    viewsOf(this.#client, this.#key).add(this);
    this.#grace = setTimeout(() => {
      this.#unpark();
      this.#pause();
    }, grace);
  }

  #subscribe(start) {
    const { from, last, state, conflate, raw, snapshot } = this.#options;
    const load = snapshot && ((cursor) => this.#listener.load(cursor));
    const subscription = this.#client.subscribe(this.#channel, { ...(start ?? { from, last }), state, conflate, raw, snapshot: load });
    this.#subscription = subscription;
    const receive = (item) => {
      if (subscription !== this.#subscription) return;
      if (this.#isAttached) this.#take(item);
      else this.#wait(item);
    };
    const ended = (error) => {
      if (subscription !== this.#subscription) return;
      this.#isOver = true;
      this.#subscription = undefined;
      this.#unpark();
      this.#change({ error: error ?? null });
    };
    subscription.onmessage = receive;
    for (const type of ["removed", "undecodable", "gap", "resumed", "caught-up", "snapshot"]) {
      subscription.addEventListener(type, (event) => receive(itemOf(event)));
    }
    subscription.addEventListener("end", ({ error }) => ended(error));
    // One that ended while it was made had nothing to listen to it.
    if (this.#client.state === "closed") this.#client.closed.then(ended);
  }

  #take(item) {
    switch (item.type) {
      case "message":
        if (!this.#listener.keep) break;
        if (this.#latest) this.#latest.set(item.key, item);
        else this.#messages.push(item);
        this.#change();
        break;
      case "removed":
        if (this.#latest?.delete(item.key)) this.#change();
        break;
      case "gap":
        this.#change({ gap: item });
        // The subscription loads the state again.
        if (!this.#latest || item.reason === "refused") break;
        this.#replaced ??= this.#latest;
        this.#latest = new Map();
        break;
      case "snapshot":
        this.#messages = [];
        this.#change({ snapshot: item.value });
        break;
      case "caught-up":
        this.#replaced = undefined;
        this.#change({ hasCaughtUp: true });
    }
    try {
      this.#listener.item(item);
    } catch (error) {
      report(error);
    }
  }

  #wait(item) {
    this.#waiting.push(item);
    this.#waitingSize += item.size ?? 0;
    if (this.#waiting.length >= MAX_WAITING || this.#waitingSize >= MAX_WAITING_SIZE) this.#pause();
  }

  /** Ends the subscription. A component that comes back gets what waits, and then what follows it. */
  #pause() {
    const subscription = this.#subscription;
    if (!subscription) return;
    this.#cursor = subscription.cursor;
    this.#subscription = undefined;
    subscription.close();
  }

  #change(fields) {
    if (fields) this.#shown = { ...this.#shown, ...fields };
    this.#isStale = true;
    if (this.#isNotified) return;
    this.#isNotified = true;
    // What travelled in one message is shown at once.
    queueMicrotask(() => {
      this.#isNotified = false;
      if (this.#isAttached) this.#listener.show(this.shown);
    });
  }

  #refresh() {
    this.#isStale = false;
    const { keep } = this.#listener;
    if (this.#messages.length > keep) this.#messages = this.#messages.slice(this.#messages.length - keep);
    const latest = this.#replaced ?? this.#latest;
    this.#shown = { ...this.#shown, messages: [...(latest ? latest.values() : this.#messages)] };
  }

  #unpark() {
    const views = parked.get(this.#client);
    views?.get(this.#key)?.delete(this);
    if (views?.get(this.#key)?.size === 0) views.delete(this.#key);
  }
}

/** Who is present in a channel, for all components that show it: a component that is mounted again is neither a leave nor a join. */
export class PresenceView {
  shown = NO_MEMBERS;
  #client;
  #channel;
  #listeners = new Set();
  #presence;
  #grace;

  static for(client, channel) {
    if (!presences.has(client)) presences.set(client, new Map());
    const views = presences.get(client);
    if (!views.has(channel)) views.set(channel, new PresenceView(client, channel));
    return views.get(channel);
  }

  constructor(client, channel) {
    this.#client = client;
    this.#channel = channel;
  }

  attach(show) {
    clearTimeout(this.#grace);
    this.#listeners.add(show);
    if (!this.#presence) this.#join();
    show(this.shown);
  }

  /** Leaves the channel `grace` ms after the last component. */
  detach(show, grace) {
    this.#listeners.delete(show);
    if (this.#listeners.size) return;
    this.#grace = setTimeout(() => {
      this.#remove();
      this.#presence.close();
    }, grace);
  }

  #join() {
    const presence = this.#client.presence(this.#channel);
    this.#presence = presence;
    const ended = (error) => {
      this.#remove();
      this.#show({ error: error ?? null });
    };
    presence.addEventListener("change", ({ members }) => this.#show({ members }));
    presence.addEventListener("end", ({ error }) => ended(error));
    if (presence.members) this.#show({ members: presence.members });
    if (this.#client.state === "closed") this.#client.closed.then(ended);
  }

  #show(fields) {
    this.shown = { ...this.shown, ...fields };
    for (const show of this.#listeners) show(this.shown);
  }

  #remove() {
    const views = presences.get(this.#client);
    if (views.get(this.#channel) === this) views.delete(this.#channel);
  }
}

/** Shows the state of a client at each of its events, until what it returns is called. */
export function watchClient(client, show) {
  let seen = NO_CLIENT;
  const look = (event) => {
    const { type, error = null, roundTrip = seen.roundTrip } = event ?? {};
    seen = { state: client.state, reconnecting: type === "reconnecting" ? event : type === "latency" ? seen.reconnecting : null, roundTrip, error };
    show(seen);
  };
  const types = ["connecting", "attached", "reconnecting", "latency", "close"];
  for (const type of types) client.addEventListener(type, look);
  look();
  if (client.state === "closed") client.closed.then((error) => look({ type: "close", error }));
  return () => types.forEach((type) => client.removeEventListener(type, look));
}

/** The listener of a component's view: `latest` returns the component's options of now. */
export const listenerOf = (latest, show) => ({
  get keep() {
    return latest().keep ?? KEEP;
  },
  item: (item) => latest().onItem?.(item),
  load: (cursor) => latest().snapshot(cursor),
  show,
});

function keyOf(channel, { from, last, state, conflate, raw, snapshot, keep = KEEP }) {
  return JSON.stringify([channel, from, last, !!state, !!conflate, !!raw, !!snapshot, keep]);
}

function viewsOf(client, key) {
  if (!parked.has(client)) parked.set(client, new Map());
  const views = parked.get(client);
  if (!views.has(key)) views.set(key, new Set());
  return views.get(key);
}

/** The one that waits for longest, since components are mounted in the order in which they were unmounted. */
const first = (client, key) => parked.get(client)?.get(key)?.values().next().value;

function itemOf(event) {
  const { isTrusted, ...fields } = event;
  return { type: event.type, ...fields };
}
