import type { Context, ReactNode } from "react";
import type { AddressSource, Data as SocketData, EverSocket, EverSocketEventMap, EverSocketOptions, ProtocolsSource, ReconnectingEvent, SendOptions, SendOutcome } from "everwire";
import type { EverClient, EverClientOptions } from "everwire/client";
import type { ChannelOptions, ChannelState, ClientState, PresenceState, Publish } from "./channel-views.js";

export type { ChannelOptions, ChannelState, ClientState, PresenceState, Publish } from "./channel-views.js";

/** Options of the socket, which are read when it is made, and what the component wants of it. Of functions the latest is called. */
export interface UseEverSocketOptions<Data = any> extends EverSocketOptions {
  /** Subprotocols; others make another socket. A function is called for each attempt, and is the same as any other. */
  protocols?: ProtocolsSource | undefined;
  /**
   * Whether messages are JSON: `messages` and `onMessage` then have the values, and `send` takes one. A message that is no JSON is left
   * out, and reported as an exception of a listener is. Default: false.
   */
  json?: boolean | undefined;
  /** Is called once for each message, in order, whatever React draws or leaves out. `data` is `event.data` or, with `json`, its value. */
  onMessage?: ((event: EverSocketEventMap["message"], data: Data) => void) | undefined;
  /** Is called for each event but messages. */
  onEvent?: ((event: EverSocketEventMap[Exclude<keyof EverSocketEventMap, "message">]) => void) | undefined;
  /** How many of the latest messages `messages` holds. Default: 0. */
  keep?: number | undefined;
}

/** What a component sees of its socket. */
export interface EverSocketState<Data = any, Out = SocketData> {
  /** `null` before the component was first mounted, and without an address. */
  readonly socket: EverSocket | null;
  /** That of the socket; `null` where there is none. */
  readonly readyState: 0 | 1 | 2 | 3 | null;
  /** The attempt that is waited for. */
  readonly reconnecting: ReconnectingEvent | null;
  /** The latest round trip in ms, with a heartbeat that pings. */
  readonly roundTrip: number | undefined;
  /** The latest messages, oldest first, none left out. */
  readonly messages: readonly Data[];
  /**
   * Sends a message, with `json` a value, by the component's socket; `"refused"` where there is none. It is the same function for as
   * long as the component lives.
   */
  readonly send: (data: Out, options?: SendOptions) => SendOutcome;
}

/**
 * A socket for as long as the component is mounted; one under Strict Mode, too. Another address or other subprotocols make another
 * socket; `null` makes none. A function as address may be written inline: every function is the same address, and the latest one is
 * called for each attempt. Where what it depends on should make another connection at once, call `socket.reconnect()` or give the
 * component another `key`.
 */
export function useEverSocket<In = unknown, Out = In>(
  url: AddressSource | null | undefined,
  options: UseEverSocketOptions<In> & { json: true },
): EverSocketState<In, Out>;
export function useEverSocket<Data = any>(url: AddressSource | null | undefined, options?: UseEverSocketOptions<Data>): EverSocketState<Data>;

/** The client of the components within a {@link ClientProvider}: `useContext(ClientContext)`, for its requests. */
export const ClientContext: Context<EverClient | null>;

/** Gives the components within it a client, or none yet. */
export function ClientProvider(props: { readonly client: EverClient | null; readonly children?: ReactNode }): ReactNode;

/**
 * A client for as long as the component is mounted; one under Strict Mode, too. Another address makes another client; `null` makes none. A
 * function as address may be written inline: every function is the same address, and the latest one is called for each attempt. So is the latest
 * `token`; the other options are read when the client is made.
 * @returns `null` before the component was first mounted, on a server, and without an address.
 */
export function useClient(url: AddressSource | null | undefined, options?: EverClientOptions): EverClient | null;

/** The state of a client, by default that of the {@link ClientProvider} around the component. */
export function useClientState(client?: EverClient | null): ClientState;

/** Options of a hook that has a client. */
export interface ClientHookOptions {
  /** Default: that of the {@link ClientProvider} around the component. */
  client?: EverClient | null | undefined;
}

/** Options of {@link useChannel}. Of functions the latest is called. */
export interface UseChannelOptions<Value = any, Snapshot = any> extends ChannelOptions<Value, Snapshot>, ClientHookOptions {}

/** What {@link useChannel} returns. */
export interface UseChannel<Value = any, Snapshot = any> extends ChannelState<Value, Snapshot> {
  readonly publish: Publish<Value>;
}

/**
 * The messages of a channel. Another channel or client makes another subscription; `null` makes none. Several components of one channel share
 * what the server sends, and each gets all of it.
 */
export function useChannel<Value = any, Snapshot = any>(
  channel: string | null | undefined,
  options?: UseChannelOptions<Value, Snapshot>,
): UseChannel<Value, Snapshot>;

/** Options of {@link usePresence}. */
export interface UsePresenceOptions extends ClientHookOptions, Pick<ChannelOptions, "grace"> {}

/**
 * Joins a channel while the component is mounted, and for the grace time after that, and shows who is present. Several components share the
 * membership.
 */
export function usePresence(channel: string | null | undefined, options?: UsePresenceOptions): PresenceState;
