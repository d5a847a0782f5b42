import { STAT_ANSWERED } from "./codes.js";

/** In the order of their numbers, from `STAT_ANSWERED` on. */
const NAMES = ["answered", "lost", "last", "min", "max", "mean", "standardDeviation", "jitter", "p50", "p90", "p99"];
/** Those of a link that was never asked. */
export const NO_STATS = { answered: 0, lost: 0 };

/** The statistics of the link, each read by its number; what cannot be told yet is left out. */
export function readStats(read) {
  const stats = NAMES.map((name, index) => [name, read(STAT_ANSWERED + index)]);
  return Object.fromEntries(stats.filter(([, value]) => !Number.isNaN(value)));
}
