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
 * The options with their checks done: `knobs` for the core, and what JavaScript sees to itself. Names that are unknown within a
 * group are refused; beside the groups they are ignored, since libraries pass options that are meant for other classes.
 */
export function readOptions({ backoff, outbox, watermarks, heartbeat, connectTimeout, closeTimeout, shouldReconnect }) {
  const knobs = [];
  const turn = (knob, name, value) => {
    if (value === undefined) return;
    if (typeof value !== "number" || !(value >= 0)) throw new TypeError(`${name} has to be a number from 0 on, and is ${String(value)}.`);
    knobs.push([knob, value]);
  };
  // The knobs of a group follow each other in the order of its defaults.
  const group = (name, first, given = {}) => {
    const names = Object.keys(defaults[name]);
    for (const key of Object.keys(given)) {
      const index = names.indexOf(key);
      if (index < 0) throw new TypeError(`There is no option ${name}.${key}, but ${names.join(", ")}.`);
      if (key !== "whenFull") turn(first + index, `${name}.${key}`, given[key]);
    }
  };

  group("backoff", KNOB_FLOOR, backoff);
  group("watermarks", KNOB_HIGH_WATER_MARK, watermarks);
  group("outbox", KNOB_OUTBOX_MESSAGES, outbox);
  turn(KNOB_CONNECT_TIMEOUT, "connectTimeout", connectTimeout);
  turn(KNOB_CLOSE_TIMEOUT, "closeTimeout", closeTimeout);
  const limits = { ...defaults.outbox, ...outbox };
  if (limits.whenFull === "drop-oldest") knobs.push([KNOB_DROP_OLDEST, 1]);
  else if (limits.whenFull !== "refuse") throw new TypeError('outbox.whenFull has to be "refuse" or "drop-oldest".');
  if (shouldReconnect) knobs.push([KNOB_RETRY_ALL, 1]);
  let words;
  if (heartbeat && "silence" in Object(heartbeat)) {
    turn(KNOB_SILENCE, "heartbeat.silence", heartbeat.silence);
  } else if (heartbeat) {
    const { ping, pong, ...schedule } = Object(heartbeat);
    group("heartbeat", KNOB_PING_AFTER_SILENCE, { afterSilence: defaults.heartbeat.afterSilence, ...schedule });
    words = wordsOf(ping, pong);
  }
  return { knobs, limits, words, isWatched: !!heartbeat, shouldReconnect };
}
