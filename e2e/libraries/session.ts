/** The class that a library is handed. */
export type Socket = typeof WebSocket;

/** A library that has subscribed. */
export interface Session {
  /** The texts that came, in order. */
  readonly received: string[];
  /** Publishes a text. */
  say(text: string): void;
}
