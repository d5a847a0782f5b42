import type { AddressSource, Attempt, BackoffOptions, Drop, EverSocketEventMap, EverSocketOptions, EverSocketStats, LatencyEvent, OutboxOptions, WebSocketClass } from "everwire";

export { defaults, init, initSync } from "everwire";
export type { Address, AddressSource, Attempt, BackoffOptions, Cause, Drop, LatencyEvent, LatencyStats, ModuleSource, WebSocketClass } from "everwire";

/** A position in a channel. Store it whole, to go on from there in another run: `subscribe(channel, { from })`. */
export type Cursor = string;

/** What the server's rules are given to know who the client is: a text or bytes, at most 63 KiB. */
export type Token = string | ArrayBufferView;

/** Every option of an {@link EverClient}. Times are in ms. */
export interface EverClientOptions {
  /**
   * A token, or a function that is called for each attempt, for tokens that expire. If it throws, the attempt has failed; one that comes
   * when its attempt is over is ignored. Default: none.
   */
  token?: Token | ((attempt: Attempt) => Token | Promise<Token>) | undefined;
  /** When attempts are made. */
  backoff?: BackoffOptions | undefined;
  /** How long an attempt may take, the functions for address and token included. Default: 15000. */
  connectTimeout?: number | undefined;
  /** How long `close()` waits for the server's half of the closing handshake. Default: 3000. */
  closeTimeout?: number | undefined;
  /** How many publishes and requests may wait to be sent or be unanswered, their bytes, and how long a publish may wait by default. */
  outbox?: Pick<OutboxOptions, "maxMessages" | "maxBytes" | "timeToLive"> | undefined;
  /** Closes the client when it aborts. */
  signal?: Signal | undefined;
  /** The WebSocket class to use. Default: `globalThis.WebSocket`; Node.js before 22 has none: pass that of the package `ws`. */
  WebSocket?: WebSocketClass | undefined;
  /** Logs each line, without payloads, and each event by `console.debug`, as `[everwire] …`. Default: false. */
  debug?: boolean | undefined;
}

/**
 * Why something failed.
 * - Of a publish or a request: `"expired"` (its time ran out, and for a publish: the server does not have it), `"unknown"` (the session was
 *   lost after it was sent: look whether it was done before you repeat it), `"too-large"`, `"full"` (too much waits: await some of it),
 *   `"refused"` by the server, `"cancelled"`, `"closed"` (the client is over, and it was not sent).
 * - Of an answer: `"no-answer"`, `"several-parts"` (read it by `for await`), `"undecodable"` (it is no JSON).
 * - Of a client: `"closed"` by the application, `"refused"` by the server, `"connection"` (no attempt follows, by the close code or
 *   `backoff.maxRetries`), `"not-everwire"` (the server does not speak everwire.v1: connect to an Everwire server's path, or use EverSocket
 *   for any other), `"credentials-too-large"`, `"module"` (the wasm module cannot be loaded, or has failed).
 */
export type EverErrorCode =
  | "expired"
  | "unknown"
  | "too-large"
  | "full"
  | "refused"
  | "cancelled"
  | "closed"
  | "no-answer"
  | "several-parts"
  | "undecodable"
  | "connection"
  | "not-everwire"
  | "credentials-too-large"
  | "module";

/** What promises of an {@link EverClient} are rejected with, and its loops throw. */
export class EverError extends Error {
  readonly name: "EverError";
  readonly code: EverErrorCode;
  /** Why the server refused it: a code of everwire.v1, such as `"denied"`. */
  readonly refusal?: string;
  /** The server's explanation; `""` or missing if it gave none. */
  readonly reason?: string;
}

/** Where a subscription starts, and what a slow one gets. Give at most one of `from` and `last`, and `last` without `state`. */
export interface SubscribeOptions {
  /** After this position, such as `subscription.cursor` of an earlier run. Default: with the next message. */
  from?: Cursor | undefined;
  /** With so many of the latest messages. */
  last?: number | undefined;
  /**
   * With the latest message of each key; with `from`, after that position. After a gap they all come again: what was known of the keys before is
   * out of date, and a key that does not come was removed. `caught-up` follows the last one. Only a gap with the reason `refused` changes no key.
   */
  state?: boolean | undefined;
  /** Where it is slower than the channel, it gets only the latest message of each key. Default: false, each message, later. */
  conflate?: boolean | undefined;
  /** Values are not parsed: each is a text or a Uint8Array. Default: false. */
  raw?: boolean | undefined;
  /**
   * Loads data that the messages continue, such as a list of a database, which holds at least what was published up to the position. It is
   * called when the subscription starts and after each gap. A `snapshot` item has what it gave, and precedes the messages after the position.
   * If it throws, the subscription ends with that error.
   */
  snapshot?: ((cursor: Cursor) => unknown) | undefined;
  /**
   * The most items that may wait for a loop. Above that the server waits, and nothing is lost; the client's other subscriptions of the channel
   * wait as well. Default: 1024.
   */
  maxWaiting?: number | undefined;
  /** The greatest length of their payloads together. Default: 4194304. */
  maxWaitingSize?: number | undefined;
  /** Ends the subscription when it aborts. */
  signal?: Signal | undefined;
}

/** What the items of a channel with a position have. */
interface Positioned {
  /** Counts the messages of the channel, from 1, while its history exists. Exact up to 2^53; `cursor` always is. */
  readonly offset: number;
  /** When the server stored it, in ms since 1970. */
  readonly time: number;
  /** The history that the offset counts. */
  readonly epoch: string;
  /** The position after it. */
  readonly cursor: Cursor;
  /** The session that published it; `undefined` for what the server published. */
  readonly by: string | undefined;
  /** Whether this client published it. */
  readonly isOwn: boolean;
  /** The length of its payload. */
  readonly size: number | undefined;
}

/** A message. */
export interface MessageItem<Value = unknown> extends Positioned {
  readonly type: "message";
  readonly value: Value;
  /** It is the latest message of this key. */
  readonly key: string | undefined;
}
/** A key was removed. */
export interface RemovedItem extends Positioned {
  readonly type: "removed";
  readonly value: undefined;
  readonly key: string;
}
/** A message that is no JSON: `value` is as it was received. */
export interface UndecodableItem extends Positioned {
  readonly type: "undecodable";
  readonly value: string | Uint8Array | undefined;
  readonly key: string | undefined;
  readonly error: Error;
}
/** Messages that will not come, since they are older than the history, that is another one, or the server's rules do not allow them. */
export interface GapItem {
  readonly type: "gap";
  readonly reason: "trimmed" | "rewritten" | "refused";
  /** How many, if the server knows. */
  readonly missed: number | undefined;
  /** The position after them, where the subscription goes on. */
  readonly cursor: Cursor;
}
/** The connection was lost meanwhile, and nothing was missed. */
export interface ResumedItem {
  readonly type: "resumed";
}
/** What follows is new. A subscription that starts with the next message begins without it. */
export interface CaughtUpItem {
  readonly type: "caught-up";
}
/** What `snapshot` has loaded; the items that follow continue it. */
export interface SnapshotItem<Snapshot = unknown> {
  readonly type: "snapshot";
  readonly value: Snapshot;
  readonly cursor: Cursor;
}
/** What a subscription yields. */
export type Item<Value = unknown, Snapshot = unknown> =
  | MessageItem<Value>
  | RemovedItem
  | UndecodableItem
  | GapItem
  | ResumedItem
  | CaughtUpItem
  | SnapshotItem<Snapshot>;

/** An item as an event has the item's members. */
export type ItemEventMap<Value = unknown, Snapshot = unknown> = {
  [Type in Item["type"]]: Event & Extract<Item<Value, Snapshot>, { type: Type }>;
} & {
  /** Nothing follows; with an error unless the application ended it. */
  end: Event & { readonly error: unknown };
};

interface Emits<EventMap> {
  addEventListener<Type extends keyof EventMap & string>(
    type: Type,
    listener: ((event: EventMap[Type]) => any) | { handleEvent(event: EventMap[Type]): any } | null,
    options?: boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: Signal },
  ): void;
  removeEventListener<Type extends keyof EventMap & string>(
    type: Type,
    listener: ((event: EventMap[Type]) => any) | { handleEvent(event: EventMap[Type]): any } | null,
    options?: boolean | { capture?: boolean },
  ): void;
  dispatchEvent(event: Event): boolean;
}

/**
 * The messages of a channel, over reconnects, restarts of the server and new sessions: each comes once and in order, or a `gap` is in its
 * place.
 *
 * It is read by `for await`, where each item goes to one loop, or by listeners. Until one of them begins, items wait. `break` ends the
 * subscription; an error of the server ends it, too, and the loop throws.
 */
export interface Subscription<Value = unknown, Snapshot = unknown> extends AsyncIterable<Item<Value, Snapshot>>, Emits<ItemEventMap<Value, Snapshot>> {
  readonly channel: string;
  /** The position after what was taken; `undefined` before the server has said where the subscription is. Store it after the handling. */
  readonly cursor: Cursor | undefined;
  /** Called with each message itself, for which no event is made: the cheapest way to read many. */
  onmessage: ((message: MessageItem<Value>) => any) | null;
  /** Ends it. What a loop has not taken yet can still be read. */
  close(): void;
  [asyncDispose](): Promise<void>;
}

/** A session that is present in a channel. */
export interface Member {
  readonly session: string;
  /** What the server knows of it, if it says so: a value of JSON, or else the text or bytes. */
  readonly info: any;
}

/**
 * Who is present in a channel: all members, each time they change. Members are sessions, so that a reconnect is neither a leave nor a join.
 * While it is not closed, the client is one of them. A loop that is slow gets the latest list.
 */
export interface Presence extends AsyncIterable<readonly Member[]>, Emits<{ change: Event & { readonly members: readonly Member[] }; end: Event & { readonly error: unknown } }> {
  readonly channel: string;
  /** All members; `undefined` before the server has sent them. */
  readonly members: readonly Member[] | undefined;
  /** Ends the membership. */
  close(): void;
  [asyncDispose](): Promise<void>;
}

/** What a single publish asks for. */
export interface PublishOptions {
  /** The message is the latest of this key: 1 to 128 bytes without spaces and control characters. */
  key?: string | undefined;
  /** How long it may wait to be sent, or sent again, in ms. Default: `outbox.timeToLive`. */
  timeToLive?: number | undefined;
  /** The value is a text or bytes, and travels as it is. Default: false. */
  raw?: boolean | undefined;
}

/** A publish that is stored. */
export interface Published {
  /** Counts the messages of the channel, from 1. The client's own copy has the same. */
  readonly offset: number;
  readonly cursor: Cursor;
}

/** What a single request asks for. */
export interface RequestOptions {
  /** After how many ms the answer is of no use; the server learns it, too. Default: none. */
  timeout?: number | undefined;
  /** Cancels it when it aborts; the promise is rejected with the signal's reason. */
  signal?: Signal | undefined;
  /** Value and answer are texts or bytes, and travel as they are. Default: false. */
  raw?: boolean | undefined;
}

/** The answer to a request: a promise where it has one part, and its parts by `for await`, whose `break` cancels the request. */
export interface Answer<Value = unknown> extends Promise<Value>, AsyncIterable<Value> {}

/** The events of an {@link EverClient}. */
export interface EverClientEventMap {
  /** An attempt to connect begins. */
  connecting: Event;
  /** The server has welcomed the client, in a new session, in that of before, or in one in place of that of before, which was lost. */
  attached: Event & { readonly session: "new" | "resumed" | "replaced" };
  /** The connection was lost or an attempt failed, and another one follows. */
  reconnecting: Event & Drop;
  latency: LatencyEvent;
  /** The client is over. */
  close: Event & { readonly error: EverError };
}

/** What a client has done so far. A message of the connection may hold several lines. */
export interface EverClientStats extends Omit<EverSocketStats, "queuedMessages" | "queuedBytes"> {
  /** How many publishes and requests wait to be sent or are unanswered. */
  readonly pending: number;
  readonly pendingBytes: number;
}

/**
 * A client of an Everwire server (`everwire.v1`): channels, publishes and requests over a connection that is made again when it is lost,
 * without a loss or a repetition that is not reported.
 */
export class EverClient implements Emits<EverClientEventMap> {
  /**
   * Connects in the background.
   * @param url The address, or a function that gives it for each attempt.
   * @throws DOMException `SyntaxError` for an address that the browser's WebSocket would refuse.
   */
  constructor(url: AddressSource, options?: EverClientOptions);

  readonly state: "connecting" | "attached" | "waiting" | "closed";
  /** The id by which other clients know this one's session; `undefined` before the first welcome. */
  readonly session: string | undefined;
  /** A new object each time. */
  readonly stats: EverClientStats;
  /** The server's clock now, in ms since the Unix epoch, by the answered pings. */
  readonly serverTime: number | undefined;
  /** Why the client is over, once it is. */
  readonly closed: Promise<EverError>;

  /**
   * Subscribes to a channel. A second subscription of the same channel shares what the server sends, and gets what it would get by itself.
   * @throws TypeError for a name or a cursor that cannot be.
   */
  subscribe<Value = any, Snapshot = any>(channel: string, options?: SubscribeOptions): Subscription<Value, Snapshot>;

  /**
   * Publishes a value. It is sent at once, or when the client is attached, and over reconnects until the server has answered.
   * @returns its position. Rejected with an {@link EverError}, or a TypeError for what cannot be sent.
   */
  publish(channel: string, value: unknown, options?: PublishOptions): Promise<Published>;

  /** Removes a key of a channel. */
  remove(channel: string, key: string, options?: Pick<PublishOptions, "timeToLive">): Promise<Published>;

  /**
   * Calls a request handler of the server. Over reconnects it is sent again, and executed once, as long as the server keeps the session.
   * @returns the answer. Rejected with an {@link EverError}, or a TypeError for what cannot be sent.
   */
  request<Value = any>(name: string, value?: unknown, options?: RequestOptions): Answer<Value>;

  /** Joins a channel, and watches who else is present. */
  presence(channel: string, options?: { signal?: Signal | undefined }): Presence;

  /** Makes an attempt now, in place of waiting or of a connection that is mistrusted. */
  reconnect(): void;

  /** Ends the session and closes the connection. What was not sent fails; what was sent and not answered has the fate `unknown`. */
  close(): void;

  /** Closes and waits for the end: for `await using`. */
  [asyncDispose](): Promise<void>;

  addEventListener: Emits<EverClientEventMap>["addEventListener"];
  removeEventListener: Emits<EverClientEventMap>["removeEventListener"];
  dispatchEvent(event: Event): boolean;
}

export default EverClient;

type Event = EverSocketEventMap["open"];
type Signal = NonNullable<EverSocketOptions["signal"]>;

declare const ownAsyncDispose: unique symbol;
/** `Symbol.asyncDispose`, where the lib "esnext.disposable" or another declares it. */
declare const asyncDispose: SymbolConstructor extends { readonly asyncDispose: infer Known } ? Known : typeof ownAsyncDispose;
