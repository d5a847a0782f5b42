/** What a WebSocket can send. A view or buffer is copied only where the message has to wait. */
export type Data = string | ArrayBufferLike | Blob | ArrayBufferView;

/**
 * What became of a message:
 * - `"sent"`: it was handed to the browser's socket.
 * - `"queued"`: it waits in the outbox, and is sent when the connection is open and the network keeps up; if it never can be, a
 *   `drop` event brings it back.
 * - `"refused"`: the outbox is full or the socket is closed. Nothing was kept; `await socket.ready()`, then send again.
 */
export type SendOutcome = "sent" | "queued" | "refused";

/** What a single message asks for. */
export interface SendOptions {
  /** How long it may wait in the outbox, in ms. Default: `outbox.timeToLive`. */
  timeToLive?: number | undefined;
  /**
   * Makes it the latest of its kind: a waiting message with the same key is dropped in its favour. For positions, prices and
   * other values of which only the newest counts.
   */
  key?: string | undefined;
}

/** Why a connection was lost or an attempt failed. */
export type Cause =
  /** The socket closed, or the handshake failed (which a browser reports as code 1006). */
  | "closed"
  /** The attempt took longer than `connectTimeout`. */
  | "connect-timeout"
  /** The heartbeat found the link dead. */
  | "heartbeat-timeout"
  /** The same, and the server has never answered a ping: choose another `heartbeat`. */
  | "never-answered"
  /** The network that the attempt was made on is gone, or the machine slept meanwhile. */
  | "network-changed"
  /** The function that gives the address threw, or gave one that is no WebSocket's. */
  | "provider"
  /** The browser refuses the address. */
  | "refused"
  /** The page went into the back/forward cache. */
  | "suspended"
  /** `reconnect()` was called. */
  | "requested";

/** A lost connection or a failed attempt. */
export interface Drop {
  readonly cause: Cause;
  /** The close code; 1006 where there was no close frame. */
  readonly code: number;
  /**
   * The reason in the close frame; for the cause `"provider"`, and where the platform has thrown, the message of what was thrown. With
   * the class of the package `ws`, why the handshake failed, which browsers keep to themselves.
   */
  readonly reason: string;
  readonly wasClean: boolean;
  /** Which attempt follows, counted from 1 since a connection was last stable. */
  readonly attempt: number;
  /** When it is made, in ms from now; `Infinity`: when the page comes back from the back/forward cache. */
  readonly delay: number;
}

/** When attempts are made. Times are in ms. */
export interface BackoffOptions {
  /** The least delay after a close by the server, and the least time between two dials, also for `reconnect()`. Default: 500. */
  floor?: number | undefined;
  /** The ceiling of the first delay, which is drawn between `floor` and it. Default: 6000, so that 10,000 clients lost at once come back spread out. */
  first?: number | undefined;
  /** What the ceiling is multiplied by for each further attempt. Default: 2. */
  factor?: number | undefined;
  /** The greatest ceiling. Default: 30000. */
  max?: number | undefined;
  /** The ceiling of the first delay after a fault on this side: the network changed, the machine woke. Default: 300. */
  quick?: number | undefined;
  /** The ceiling of the first delay after the heartbeat found a dead link. Default: 1500. */
  quickAfterSilence?: number | undefined;
  /** How long a connection must stay open before the count of attempts starts anew. Default: 5000. */
  stableAfter?: number | undefined;
  /** How many retries in a row to make without a stable connection before closing for good. Default: Infinity. */
  maxRetries?: number | undefined;
}

/** A ping after silence; the link is dead when nothing at all is heard before its deadline. Times are in ms. */
export interface PingHeartbeat {
  /** How long the link may be silent before it is asked. Default: 7000. */
  afterSilence?: number | undefined;
  /** The shortest deadline for an answer. Default: 2000. */
  minDeadline?: number | undefined;
  /** The longest deadline, and the one before any round trip was measured. Default: 6000. */
  maxDeadline?: number | undefined;
  /** The longest deadline after the page came back, the machine woke or the network changed. Default: 2000. */
  wakeDeadline?: number | undefined;
  /** How often the round trip is measured while messages flow; `Infinity` never. Default: 15000. */
  sampleEvery?: number | undefined;
  /** Makes the ping from its number. Default: the text `{"ping":N}`. */
  ping?: ((number: number) => Data) | undefined;
  /**
   * Is shown every message and says whether it is the answer to a ping, which the application then does not get to see: the number
   * of the ping, or `true` where the answer does not tell, or both and the server's time in ms since the Unix epoch. Default: takes
   * `{"pong":N}`, `{"pong":N,"server_time":MS}`, and the ping itself come back from an echo.
   */
  pong?: ((data: any) => boolean | number | { ping?: number | undefined; serverTime?: number | undefined } | null | undefined) | undefined;
}

/** No pings: the link is dead when nothing was heard for this long. For servers that talk all the time. */
export interface SilenceHeartbeat {
  /** In ms. */
  silence: number;
}

/** What may wait to be sent. */
export interface OutboxOptions {
  /** The most messages. Default: 4096. */
  maxMessages?: number | undefined;
  /** The most bytes. Default: 8388608 (8 MiB). */
  maxBytes?: number | undefined;
  /** What happens to a message that does not fit: it is refused, or the oldest make room. Default: `"refuse"`. */
  whenFull?: "refuse" | "drop-oldest" | undefined;
  /** How long a message may wait, in ms. Default: Infinity. */
  timeToLive?: number | undefined;
}

/** How much may sit in the browser's own buffer before messages wait in the outbox, in bytes. */
export interface WatermarkOptions {
  /** Above this, `ready()` waits. Default: 1048576 (1 MiB). */
  high?: number | undefined;
  /** Below this, it resolves again. Default: 262144 (256 KiB). */
  low?: number | undefined;
}

/** Everything that can be chosen. Whatever is left out or `undefined` has the default in {@link defaults}. */
export interface EverSocketOptions {
  /**
   * Whether a lost connection is made again. With `false` there is one connection, of which the browser decides everything: a drop is a
   * close, `send` throws an `InvalidStateError` before it is open, nothing waits, `stats` and `serverTime` are `undefined`, and no other
   * option but `WebSocket` and `signal` has an effect. `EverSocket.with({ reconnect: false })` is the browser's own class, extended.
   * Default: true.
   */
  reconnect?: boolean | undefined;
  /** When attempts are made. */
  backoff?: BackoffOptions | undefined;
  /**
   * How a dead link is told from a quiet one. `true` sends the text `{"ping":N}` after 7 s of silence, to a server that echoes or
   * answers `{"pong":N}`. Default: false, since a server must not be sent what it does not know.
   */
  heartbeat?: boolean | PingHeartbeat | SilenceHeartbeat | undefined;
  /** What may wait to be sent. */
  outbox?: OutboxOptions | undefined;
  /** How much may sit in the browser's buffer. */
  watermarks?: WatermarkOptions | undefined;
  /** How long an attempt may take, in ms, the functions for address and protocols included. Default: 15000; not below 10000 for Firefox. */
  connectTimeout?: number | undefined;
  /** How long `close()` waits for the server's half of the closing handshake, in ms. Default: 3000. */
  closeTimeout?: number | undefined;
  /**
   * Whether another attempt follows. Default: `byDefault`, which is false for the codes that would come again (1000, 1002, 1003,
   * 1007 to 1010, 3000, 3003, 4400 to 4499 but 4408 and 4429). It is true for 3000 and 4401, which refuse the credentials, where a
   * function gives the address or the subprotocols: the next attempt has others.
   * It is asked for every cause but `"requested"`; `() => false` makes one connection, for libraries that reconnect by themselves.
   */
  shouldReconnect?: ((drop: Drop, byDefault: boolean) => boolean) | undefined;
  /** Closes the socket when it aborts. */
  signal?: AbortSignal | undefined;
  /** The WebSocket class to use. Default: `globalThis.WebSocket`; Node.js before 22 has none: pass that of the package `ws`. */
  WebSocket?: WebSocketClass | undefined;
  /**
   * Logs each attempt and each event but messages by `console.debug`, as `[everwire] …`; addresses without their query. In
   * `everwire/inline` and the build for development in words, in the browsers' production build by the type of the event. Default: false.
   */
  debug?: boolean | undefined;
}

/** The browser's WebSocket class, or one like it. */
export type WebSocketClass = new (url: string, protocols?: string | string[]) => any;

/** What the functions for address and protocols are told. */
export interface Attempt {
  /** How many attempts failed since a connection was last stable. */
  readonly failures: number;
}

/** An address: absolute, or relative to the page; `http` and `https` stand for `ws` and `wss`. */
export type Address = string | URL;
/** An address, or a function that is called for each attempt, for tokens that expire. If it throws, the attempt has failed. */
export type AddressSource = Address | ((attempt: Attempt) => Address | Promise<Address>);
/** Subprotocols, or a function that is called for each attempt. */
export type ProtocolsSource = string | string[] | ((attempt: Attempt) => string | string[] | Promise<string | string[]>);

/** Another attempt follows. */
export interface ReconnectingEvent extends Event, Drop {
  readonly type: "reconnecting";
}

/** The connection is back. It comes right after `open`. */
export interface ReconnectedEvent extends Event {
  readonly type: "reconnected";
  /** How many attempts it took. */
  readonly attempts: number;
  /** How long the connection was down, in ms. */
  readonly downtime: number;
}

/** A ping was answered. */
export interface LatencyEvent extends Event {
  readonly type: "latency";
  /** The round trip in ms. */
  readonly roundTrip: number;
}

/**
 * Something that was accepted may not arrive.
 * - `"connection-lost"`: `messages` messages, of which the browser still held `bytes` bytes, were handed over and may not have left.
 * - `"expired"`, `"evicted"`, `"replaced"`, `"closed"`: `data` will not be sent, since its time to live ran out, the outbox was full
 *   and it the oldest, a newer one has the same key, or the socket was closed.
 * - `"unread"`: `data` was received and dropped, since the loops over a `json()` view had fallen too far behind; or, without `data`, so
 *   many messages came between two loops over it.
 */
export interface DropEvent extends Event {
  readonly type: "drop";
  readonly reason: "connection-lost" | "expired" | "evicted" | "replaced" | "closed" | "unread";
  /** The message, where the event is about one. */
  readonly data?: any;
  readonly bytes: number;
  readonly messages: number;
}

/** Round trips, in ms; `undefined` where there are too few to say. */
export interface LatencyStats {
  /** How many pings were answered. */
  readonly answered: number;
  /** How many never were. */
  readonly lost: number;
  readonly last?: number;
  readonly min?: number;
  readonly max?: number;
  readonly mean?: number;
  readonly standardDeviation?: number;
  /** The mean difference between neighbours (RFC 3550, section 6.4.1). */
  readonly jitter?: number;
  /** Percentiles, within 1 %. */
  readonly p50?: number;
  readonly p90?: number;
  readonly p99?: number;
}

/** What a socket has done so far. Sizes of texts that were sent at once or received are in UTF-16 units, all others in bytes. */
export interface EverSocketStats {
  readonly latency: LatencyStats;
  /** How often the connection was opened. */
  readonly opened: number;
  /** How often it was lost or an attempt failed. */
  readonly dropped: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What waits in the outbox. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
}

/** A socket is about to close for good, since no connection could be made or it broke. */
export interface FailureEvent extends Event {
  /**
   * Why. `undefined` where `close()` ended a socket that was not open: the browser's class has an error there, which says nothing.
   */
  readonly message?: string;
  /** What was thrown, where the wasm module could not be loaded or has failed. */
  readonly error?: unknown;
}

/** Every event of an {@link EverSocket}, by name. */
export interface EverSocketEventMap {
  /** The connection is open, for the first time or again. What is sent from a listener goes out before what waited. */
  open: Event;
  message: MessageEvent;
  /**
   * Comes right before `close` where the browser's class has one: no connection could be made, it broke, or `close()` ended the socket
   * before it was open or between two attempts. A final close by the server has none.
   */
  error: FailureEvent;
  /** The socket is closed for good. A drop is not a close: see `reconnecting`. */
  close: CloseEvent;
  reconnecting: ReconnectingEvent;
  reconnected: ReconnectedEvent;
  latency: LatencyEvent;
  drop: DropEvent;
}

/**
 * Messages as values. One view has one queue: where several loops run over it, each message goes to the one that has waited longest. A
 * loop that has to see every message needs a view of its own.
 *
 * A text that is not JSON makes its loop throw; the next loop goes on behind it. Leaving a loop, by `break` or `return()`, settles at
 * once. What came before that waits for the next loop. What comes while no loop runs is not kept: the next loop begins with a `drop`
 * event that says how much it was, unless the socket counts nothing (`reconnect: false`). A `next()` that lost a race still takes a
 * message, unless its loop is left by `return()`.
 */
export interface JsonView<In, Out = In> extends AsyncIterable<In> {
  /** Sends a value as JSON. Throws a TypeError for what JSON cannot hold (`undefined`, a function, a cycle). */
  send(value: Out, options?: SendOptions): SendOutcome;
  /** Messages from the loop's first step on, over reconnects, until the socket is closed for good. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In>;
}

/** How far the loops over a `json()` view may fall behind. */
export interface JsonOptions {
  /** The most messages that wait for them; the oldest beyond that are dropped, with a `drop` event. Default: 65536. */
  maxUnread?: number | undefined;
}

// With `this: EverSocket`, no EverSocket could stand where a WebSocket is asked for: there, a handler is called on a WebSocket.
type Handler<Type extends keyof EverSocketEventMap> = ((this: any, event: EverSocketEventMap[Type]) => any) | null;

/**
 * A WebSocket that stays connected. It has the browser's interface (`new EverSocket(url, protocols)` for `new WebSocket(url,
 * protocols)`), and more.
 *
 * It differs from the browser's where it must, unless `reconnect: false`:
 * a drop is not a close (`readyState` goes back to `CONNECTING`, `reconnecting` is fired, then `open` again), and `send` neither
 * throws nor discards, but says what became of the message.
 */
export class EverSocket {
  /**
   * @param url The address, or a function that gives it for each attempt.
   * @param protocols Subprotocols, most wanted first. `null` is the one of that name, as in a browser.
   * @throws DOMException `SyntaxError` for an address or subprotocol that the browser's class would refuse.
   * @throws TypeError, in a build for development, for an option that makes no sense; the message says what to write.
   */
  constructor(url: AddressSource, protocols?: ProtocolsSource, options?: EverSocketOptions);

  /**
   * This class with options of its own, for libraries that take a WebSocket class. With `reconnect: false`, that of EverSocket itself
   * extends the browser's class; that of a class which extends EverSocket goes on to extend it.
   */
  static with(options: EverSocketOptions): typeof EverSocket;

  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /** The address of the latest attempt; `""` before a function first gave one. */
  readonly url: string;
  readonly readyState: 0 | 1 | 2 | 3;
  /**
   * The bytes that wait in the outbox and in the browser's buffer. When `error` and `close` are dispatched, what waited in the outbox
   * has come back by `drop` events, and does not count any more.
   */
  readonly bufferedAmount: number;
  readonly extensions: string;
  readonly protocol: string;
  /** Default: `"blob"`, as the browser's. */
  binaryType: "blob" | "arraybuffer";

  onopen: Handler<"open">;
  onmessage: Handler<"message">;
  onerror: Handler<"error">;
  onclose: Handler<"close">;
  onreconnecting: Handler<"reconnecting">;
  onreconnected: Handler<"reconnected">;
  onlatency: Handler<"latency">;
  ondrop: Handler<"drop">;

  addEventListener<Type extends keyof EverSocketEventMap>(
    type: Type,
    listener: ((this: EverSocket, event: EverSocketEventMap[Type]) => any) | { handleEvent(event: EverSocketEventMap[Type]): any } | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: ((event: Event) => any) | { handleEvent(event: Event): any } | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Type extends keyof EverSocketEventMap>(
    type: Type,
    listener: ((this: EverSocket, event: EverSocketEventMap[Type]) => any) | { handleEvent(event: EverSocketEventMap[Type]): any } | null,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: ((event: Event) => any) | { handleEvent(event: Event): any } | null, options?: boolean | EventListenerOptions): void;
  dispatchEvent(event: Event): boolean;

  /**
   * Sends a message, now or when it can be. It is converted and copied first, so that whatever this throws, nothing was accepted.
   * @returns what became of it; `undefined` with `reconnect: false`, where it throws an `InvalidStateError` before the socket is open.
   * @throws TypeError for what the browser's class would refuse: a symbol, and memory that is shared or can be resized.
   */
  send(data: Data, options?: SendOptions): SendOutcome;

  /**
   * Closes for good. What waits in the outbox is sent first where the connection is open, and comes back by `drop` events otherwise.
   * @param code 1000 or 3000 to 4999.
   * @param reason At most 123 bytes of UTF-8.
   * @throws DOMException `InvalidAccessError` for any other code, `SyntaxError` for a longer reason.
   */
  close(code?: number, reason?: string): void;

  /**
   * Makes a new connection now: in place of the present one, without waiting for the next attempt, or after a close. A call while an
   * attempt is under way changes nothing, and there is never less than `backoff.floor` between two. With `reconnect: false` it has
   * no effect.
   */
  reconnect(): void;

  /**
   * Resolves when more should be sent: the connection is open, and what waits is below the high-water mark, or has come down to the
   * low one. Rejects with an `InvalidStateError` when the socket is closed for good.
   */
  ready(): Promise<void>;

  /** The messages as values. */
  json<In = unknown, Out = In>(options?: JsonOptions): JsonView<In, Out>;

  /** What it has done so far; a new object each time. `undefined` with `reconnect: false`. */
  readonly stats: EverSocketStats;
  /** The server's clock now, in ms since the Unix epoch, by the NTP formula from answered pings that carried it. */
  readonly serverTime: number | undefined;

  /** Closes and waits for the end: for `await using`. */
  [asyncDispose](): Promise<void>;
}

/** The defaults of all options, in ms and bytes. */
export const defaults: {
  readonly backoff: Defaults<BackoffOptions>;
  readonly heartbeat: Defaults<Omit<PingHeartbeat, "ping" | "pong">>;
  readonly outbox: Defaults<OutboxOptions>;
  readonly watermarks: Defaults<WatermarkOptions>;
  readonly connectTimeout: number;
  readonly closeTimeout: number;
};

type Defaults<Options> = { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

/** Where the wasm module comes from. */
export type ModuleSource = string | URL | Request | Response | Bytes | CompiledModule;

/**
 * Loads the wasm module, from beside this file unless told otherwise. Calling it is optional: the first socket does. Call it to
 * load earlier, or from elsewhere: a source that is given here replaces a load that a socket has begun, and all sockets wait for it.
 * Without effect where the module is there already, as it is in Node.js, with `everwire/inline` and during development.
 * @throws if it cannot be loaded; the next call tries again.
 */
export function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void>;

/**
 * Loads the wasm module at once, from its bytes or compiled: where compiling or fetching is not allowed. A function is called when the
 * first socket needs the module.
 */
export function initSync(source: Bytes | CompiledModule | (() => Bytes | CompiledModule)): void;

export default EverSocket;

// What the platform has of its own: the types of the lib "dom" or "webworker", or those of @types/node, where a program has any of them.
// A program without them gets what this package uses of each, and no global name that it has not asked for.

type Platform<Name extends string, Otherwise> = typeof globalThis extends { [name in Name]: { prototype: infer Type } } ? Type : Otherwise;

type Event = Platform<
  "Event",
  {
    readonly type: string;
    readonly target: any;
    readonly currentTarget: any;
    readonly timeStamp: number;
    readonly defaultPrevented: boolean;
    preventDefault(): void;
    stopPropagation(): void;
    stopImmediatePropagation(): void;
  }
>;
type MessageEvent = Platform<"MessageEvent", Event & { readonly data: any }>;
type CloseEvent = Platform<"CloseEvent", Event & { readonly code: number; readonly reason: string; readonly wasClean: boolean }>;
type AbortSignal = Platform<
  "AbortSignal",
  {
    readonly aborted: boolean;
    addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
    removeEventListener(type: "abort", listener: () => void): void;
  }
>;
type Blob = Platform<"Blob", { readonly size: number; readonly type: string; arrayBuffer(): Promise<ArrayBuffer> }>;
type URL = Platform<"URL", { readonly href: string }>;
type Request = Platform<"Request", { readonly url: string; readonly method: string }>;
type Response = Platform<"Response", { readonly url: string; readonly ok: boolean; readonly status: number; arrayBuffer(): Promise<ArrayBuffer> }>;
type Bytes = ArrayBufferView | ArrayBuffer;
type CompiledModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Type } } } ? Type : object;

interface EventListenerOptions {
  capture?: boolean | undefined;
}
interface AddEventListenerOptions extends EventListenerOptions {
  once?: boolean | undefined;
  passive?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

declare const ownAsyncDispose: unique symbol;
/** `Symbol.asyncDispose`, where the lib "esnext.disposable" or another declares it. */
declare const asyncDispose: SymbolConstructor extends { readonly asyncDispose: infer Known } ? Known : typeof ownAsyncDispose;
