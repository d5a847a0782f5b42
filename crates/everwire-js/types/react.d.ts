import type { AddressSource, EverSocket, EverSocketEventMap, EverSocketOptions, ProtocolsSource, ReconnectingEvent } from "everwire";

/** Options of the socket, which are read when it is made, and what the component wants of it. */
export interface UseEverSocketOptions extends EverSocketOptions {
  /** Subprotocols; others make another socket. */
  protocols?: ProtocolsSource;
  /** Is called once for each message, in order, whatever React draws or leaves out. The latest function counts. */
  onMessage?: (event: MessageEvent) => void;
  /** Is called for each event but messages. The latest function counts. */
  onEvent?: (event: EverSocketEventMap[Exclude<keyof EverSocketEventMap, "message">]) => void;
  /** How many of the latest messages `messages` holds. Default: 0. */
  keep?: number;
}

/** What a component sees of its socket. */
export interface EverSocketState<Data = any> {
  /** `null` before the component was first mounted, and without an address. */
  readonly socket: EverSocket | null;
  readonly readyState: 0 | 1 | 2 | 3;
  /** The attempt that is waited for. */
  readonly reconnecting: ReconnectingEvent | null;
  /** The latest round trip in ms, with a heartbeat that pings. */
  readonly roundTrip: number | undefined;
  /** The latest messages, oldest first, none left out. */
  readonly messages: readonly Data[];
}

/**
 * A socket for as long as the component is mounted; one under Strict Mode, too. Another address or other subprotocols make another
 * socket; `null` makes none. A function as address has to be the same over renders: use `useCallback`.
 */
export function useEverSocket<Data = any>(url: AddressSource | null | undefined, options?: UseEverSocketOptions): EverSocketState<Data>;
