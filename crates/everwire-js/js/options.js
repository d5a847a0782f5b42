import {
  defaults,
  OPTION_AFTER_SILENCE,
  OPTION_ASKS_APPLICATION,
  OPTION_CLOSE_TIMEOUT,
  OPTION_CONNECT_TIMEOUT,
  OPTION_DROP_OLDEST,
  OPTION_FLOOR,
  OPTION_HIGH,
  OPTION_MAX_MESSAGES,
  OPTION_SENDS_PINGS,
  OPTION_SILENCE,
} from "../build/codes.js";
import { heartbeatOf } from "./heartbeat.js";

/**
 * The options: pairs of number and value for the core, and what JavaScript needs itself. What is not understood leaves the default as
 * it is; a build for development refuses it (`development.js`).
 */
export function readOptions({ backoff, outbox, watermarks, heartbeat, connectTimeout, closeTimeout, shouldReconnect }) {
  const options = [];
  const set = (option, value) => value >= 0 && options.push([option, +value]);
  const limits = { ...defaults.outbox };
  // The numbers of a group follow each other in the order of its defaults, and no two groups have a name in common.
  const setGroup = (name, first, given) =>
    Object.keys(defaults[name]).forEach((key, index) => {
      if (set(first + index, given?.[key])) limits[key] = +given[key];
    });

  setGroup("backoff", OPTION_FLOOR, backoff);
  setGroup("watermarks", OPTION_HIGH, watermarks);
  setGroup("outbox", OPTION_MAX_MESSAGES, outbox);
  set(OPTION_CONNECT_TIMEOUT, connectTimeout);
  set(OPTION_CLOSE_TIMEOUT, closeTimeout);
  if (outbox?.whenFull === "drop-oldest") set(OPTION_DROP_OLDEST, 1);
  if (shouldReconnect) set(OPTION_ASKS_APPLICATION, 1);
  let pings;
  if (heartbeat?.silence !== undefined) {
    set(OPTION_SILENCE, heartbeat.silence);
  } else if (heartbeat) {
    set(OPTION_SENDS_PINGS, 1);
    setGroup("heartbeat", OPTION_AFTER_SILENCE, heartbeat);
    pings = heartbeatOf(heartbeat.ping, heartbeat.pong);
  }
  return { options, limits, pings, hasHeartbeat: !!heartbeat, shouldReconnect };
}
