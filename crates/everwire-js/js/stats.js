import {
  STAT_ANSWERED,
  STAT_CLOCK_OFFSET,
  STAT_JITTER,
  STAT_LAST,
  STAT_LOST,
  STAT_MAX,
  STAT_MEAN,
  STAT_MIN,
  STAT_P50,
  STAT_P90,
  STAT_P99,
  STAT_STANDARD_DEVIATION,
} from "./codes.js";

/** The statistics of the link; those of none without a core. */
export function readStats(core) {
  const read = (stat) => core?.stat(stat) ?? NaN;
  const known = (stat) => (Number.isNaN(read(stat)) ? undefined : read(stat));
  return {
    answered: known(STAT_ANSWERED) ?? 0,
    lost: known(STAT_LOST) ?? 0,
    last: known(STAT_LAST),
    min: known(STAT_MIN),
    max: known(STAT_MAX),
    mean: known(STAT_MEAN),
    standardDeviation: known(STAT_STANDARD_DEVIATION),
    jitter: known(STAT_JITTER),
    p50: known(STAT_P50),
    p90: known(STAT_P90),
    p99: known(STAT_P99),
  };
}

/** The server's clock at `now`. */
export function serverTime(core, now) {
  const offset = core.stat(STAT_CLOCK_OFFSET);
  return Number.isNaN(offset) ? undefined : now + offset;
}
