import type { ComputedRef, MaybeRef, MaybeRefOrGetter, ShallowRef } from "vue";
import type { AddressSource } from "everwire";
import type { EverClient, EverClientOptions } from "everwire/client";
import type { ChannelOptions, ChannelState, ClientState, PresenceState, Publish } from "./channel-views.js";

export type { ChannelOptions, ChannelState, ClientState, PresenceState, Publish } from "./channel-views.js";

type Refs<State> = { readonly [Name in keyof State]: ComputedRef<State[Name]> };

/** A client, perhaps one that changes or is not there yet. */
export type ClientSource = MaybeRefOrGetter<EverClient | null | undefined>;

/**
 * A client for as long as the component is mounted, or the effect scope lives. Another address makes another client; `null` makes none. A function
 * as address is called for each attempt, and every function is the same address. `options` are read when the client is made; `options.token` is
 * read for each attempt.
 * @returns a reference to `null` before the component is mounted, on a server, and without an address.
 */
export function useClient(url: MaybeRef<AddressSource | null | undefined>, options?: EverClientOptions): Readonly<ShallowRef<EverClient | null>>;

/** Gives the components within this one a client. */
export function provideClient(client: ClientSource): void;

/** What a component around this one has provided; `null` where none has. */
export function injectClient(): ClientSource;

/** The state of a client, by default of the one that is provided. */
export function useClientState(client?: ClientSource): Refs<ClientState>;

/** Options of a composable that has a client. */
export interface ClientComposableOptions {
  /** Default: the one that a component around this one provides. */
  client?: ClientSource;
}

/** Options of {@link useChannel}. */
export interface UseChannelOptions<Value = any, Snapshot = any> extends ChannelOptions<Value, Snapshot>, ClientComposableOptions {}

/** What {@link useChannel} returns. */
export interface UseChannel<Value = any, Snapshot = any> extends Refs<ChannelState<Value, Snapshot>> {
  readonly publish: Publish<Value>;
}

/**
 * The messages of a channel. Another channel or client makes another subscription; `null` makes none. Several components of one channel share
 * what the server sends, and each gets all of it.
 */
export function useChannel<Value = any, Snapshot = any>(
  channel: MaybeRefOrGetter<string | null | undefined>,
  options?: UseChannelOptions<Value, Snapshot>,
): UseChannel<Value, Snapshot>;

/** Options of {@link usePresence}. */
export interface UsePresenceOptions extends ClientComposableOptions, Pick<ChannelOptions, "grace"> {}

/**
 * Joins a channel while the component is mounted, and for the grace time after that, and shows who is present. Several components share the
 * membership.
 */
export function usePresence(channel: MaybeRefOrGetter<string | null | undefined>, options?: UsePresenceOptions): Refs<PresenceState>;
