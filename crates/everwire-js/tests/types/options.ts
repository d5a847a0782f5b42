import { defaults, EverSocket, type Drop, type EverSocketOptions } from "everwire";
import { check, type Equal } from "./check.js";

const all: EverSocketOptions = {
  reconnect: true,
  backoff: { floor: 1, first: 2, factor: 3, max: 4, quick: 5, quickAfterSilence: 6, stableAfter: 7, maxRetries: Infinity },
  heartbeat: { afterSilence: 1, minDeadline: 2, maxDeadline: 3, wakeDeadline: 4, sampleEvery: Infinity, ping: (n) => `${n}`, pong: Number },
  outbox: { maxMessages: 1, maxBytes: 2, whenFull: "drop-oldest", timeToLive: 3 },
  watermarks: { high: 2, low: 1 },
  connectTimeout: 10_000,
  closeTimeout: 1_000,
  shouldReconnect: (drop, byDefault) => {
    check<Equal<typeof drop, Drop>>();
    check<Equal<typeof byDefault, boolean>>();
    return byDefault && drop.code !== 4000;
  },
  signal: AbortSignal.timeout(1_000),
  WebSocket,
  debug: true,
};
new EverSocket("/", undefined, all);

// A class with options is a class like it.
const Calm = EverSocket.with({ heartbeat: { silence: 30_000 } });
check<Equal<typeof Calm, typeof EverSocket>>();
new Calm("/", [], { heartbeat: false }).reconnect();

// @ts-expect-error Misspelt.
new EverSocket("/", [], { hartbeat: true });
// @ts-expect-error Options are the third argument.
new EverSocket("/", { heartbeat: true });
// @ts-expect-error There are two ways to be full.
EverSocket.with({ outbox: { whenFull: "drop-newest" } });
// @ts-expect-error Whether to go on has an answer.
EverSocket.with({ shouldReconnect: () => {} });
// @ts-expect-error A WebSocket class, not a socket.
EverSocket.with({ WebSocket: new WebSocket("/") });

check<Equal<typeof defaults.backoff.first, number>>();
check<Equal<typeof defaults.outbox.whenFull, "refuse" | "drop-oldest">>();
// @ts-expect-error For reading.
defaults.connectTimeout = 1;
