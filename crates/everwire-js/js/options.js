import {
  KNOB_CLOSE_TIMEOUT,
  KNOB_CONNECT_TIMEOUT,
  KNOB_DROP_OLDEST,
  KNOB_FLOOR,
  KNOB_HIGH_WATER_MARK,
  KNOB_OUTBOX_MESSAGES,
  KNOB_PING_AFTER_SILENCE,
  KNOB_RETRY_ALL,
  KNOB_SILENCE,
} from "./codes.js";
import { defaults } from "./defaults.js";
import { wordsOf } from "./heartbeat.js";

/**
 * The options: `knobs` for the core, and what JavaScript sees to itself. What is not understood leaves the default as it is; a build
 * for development refuses it (`development.js`).
 */
export function readOptions({ backoff, outbox, watermarks, heartbeat, connectTimeout, closeTimeout, shouldReconnect }) {
  const knobs = [];
  const turn = (knob, value) => value >= 0 && knobs.push([knob, +value]);
  const limits = { ...defaults.outbox };
  // The knobs of a group follow each other in the order of its defaults, and no two groups have a name in common.
  const group = (name, first, given) =>
    Object.keys(defaults[name]).forEach((key, index) => {
      if (turn(first + index, given?.[key])) limits[key] = +given[key];
    });

  group("backoff", KNOB_FLOOR, backoff);
  group("watermarks", KNOB_HIGH_WATER_MARK, watermarks);
  group("outbox", KNOB_OUTBOX_MESSAGES, outbox);
  turn(KNOB_CONNECT_TIMEOUT, connectTimeout);
  turn(KNOB_CLOSE_TIMEOUT, closeTimeout);
  if (outbox?.whenFull === "drop-oldest") turn(KNOB_DROP_OLDEST, 1);
  if (shouldReconnect) turn(KNOB_RETRY_ALL, 1);
  let words;
  if (heartbeat?.silence !== undefined) {
    turn(KNOB_SILENCE, heartbeat.silence);
  } else if (heartbeat) {
    turn(KNOB_PING_AFTER_SILENCE, defaults.heartbeat.afterSilence);
    group("heartbeat", KNOB_PING_AFTER_SILENCE, heartbeat);
    words = wordsOf(heartbeat.ping, heartbeat.pong);
  }
  return { knobs, limits, words, isWatched: !!heartbeat, shouldReconnect };
}
