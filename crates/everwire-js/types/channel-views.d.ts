import type { Cursor, EverClient, EverError, GapItem, Item, Member, MessageItem, Published, PublishOptions, SubscribeOptions } from "everwire/client";
import type { ReconnectingEvent } from "everwire";

/** What a component wants of a channel. How the subscription starts is read when it is made. */
export interface ChannelOptions<Value = any, Snapshot = any> extends Pick<SubscribeOptions, "from" | "last" | "state" | "conflate" | "raw"> {
  /** See {@link SubscribeOptions}. The messages shown begin after what it gave. */
  snapshot?: ((cursor: Cursor) => Snapshot | Promise<Snapshot>) | undefined;
  /**
   * How many of the latest messages `messages` holds. With `state` all keys are there. With 0 none are, and no message has the component drawn
   * again. Default: 100.
   */
  keep?: number | undefined;
  /** Is called once for each item, in order, whatever is drawn or left out. */
  onItem?: ((item: Item<Value, Snapshot>) => void) | undefined;
  /**
   * How long the subscription stays after the component is unmounted, in ms. A component with the same channel and options that is mounted
   * meanwhile goes on with it: `messages` are there, and `onItem` gets what came in between. Default: 5000.
   */
  grace?: number | undefined;
}

/** What a component sees of a channel. */
export interface ChannelState<Value = any, Snapshot = any> {
  /** The latest messages, oldest first, none left out; with `state` the latest of each key. */
  readonly messages: readonly MessageItem<Value>[];
  /** The latest messages that will not come, if there are any. With `state`, the keys come again; until they are complete, those before are shown. */
  readonly gap: GapItem | null;
  /** Why nothing follows. */
  readonly error: EverError | null;
  /** Whether all that was published before has arrived: from the beginning where it starts with the next message. */
  readonly hasCaughtUp: boolean;
  /** What `snapshot` gave last. */
  readonly snapshot: Snapshot | undefined;
}

/** Publishes to the component's channel. It is the same function for as long as the component lives, and rejects as that of the client does. */
export type Publish<Value = any> = (value: Value, options?: PublishOptions) => Promise<Published>;

/** What a component sees of who is present in a channel. */
export interface PresenceState {
  /** All members, this client included; none before the server has sent them. */
  readonly members: readonly Member[];
  /** Why no change follows. */
  readonly error: EverError | null;
}

/** What a component sees of a client. */
export interface ClientState {
  /** That of the client at its latest event; `null` where there is none. */
  readonly state: EverClient["state"] | null;
  /** The attempt that is waited for. */
  readonly reconnecting: ReconnectingEvent | null;
  /** The latest round trip in ms. */
  readonly roundTrip: number | undefined;
  /** Why the client is over. */
  readonly error: EverError | null;
}
