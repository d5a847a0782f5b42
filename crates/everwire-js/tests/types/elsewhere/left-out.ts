// Under `exactOptionalPropertyTypes` a name with the value `undefined` is not one that is left out: every option takes both.
import { type EverSocketOptions, type JsonOptions, type PingHeartbeat, type SendOptions } from "everwire";
import { type UseChannelOptions, type UseEverSocketOptions, type UsePresenceOptions } from "everwire/react";

type Left<Options> = { [Name in keyof Options]: undefined };
type Groups = { [Name in "backoff" | "outbox" | "watermarks"]-?: Exclude<EverSocketOptions[Name], undefined> };

declare const left: {
  all: Left<EverSocketOptions>;
  backoff: Left<Groups["backoff"]>;
  outbox: Left<Groups["outbox"]>;
  watermarks: Left<Groups["watermarks"]>;
  heartbeat: Left<PingHeartbeat>;
  send: Left<SendOptions>;
  json: Left<JsonOptions>;
  react: Left<UseEverSocketOptions>;
  channel: Left<UseChannelOptions>;
  presence: Left<UsePresenceOptions>;
};

export const all: EverSocketOptions = left.all;
export const groups: Groups = left;
export const heartbeat: PingHeartbeat = left.heartbeat;
export const send: SendOptions = left.send;
export const json: JsonOptions = left.json;
export const react: UseEverSocketOptions = left.react;
export const channel: UseChannelOptions = left.channel;
export const presence: UsePresenceOptions = left.presence;
// @ts-expect-error Nothing stands for a default but `undefined`.
export const none: EverSocketOptions = { connectTimeout: null };
