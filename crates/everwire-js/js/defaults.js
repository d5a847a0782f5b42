/** The defaults of all options, in ms and bytes. They are those of the core, whose tests compare the two. */
export const defaults = Object.freeze({
  backoff: Object.freeze({
    floor: 500,
    first: 6_000,
    factor: 2,
    max: 30_000,
    quick: 300,
    quickAfterSilence: 1_500,
    stableAfter: 5_000,
    maxRetries: Infinity,
  }),
  connectTimeout: 15_000,
  closeTimeout: 3_000,
  watermarks: Object.freeze({ high: 1_048_576, low: 262_144 }),
  outbox: Object.freeze({ maxMessages: 4_096, maxBytes: 8_388_608, timeToLive: Infinity, whenFull: "refuse" }),
  heartbeat: Object.freeze({
    afterSilence: 7_000,
    minDeadline: 2_000,
    maxDeadline: 6_000,
    wakeDeadline: 2_000,
    sampleEvery: 15_000,
  }),
});
