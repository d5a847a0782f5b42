import { defaults, OPTION_ASKS_APPLICATION, OPTION_SENDS_PINGS, OPTION_SILENCE, OPTION_WHEN_FULL } from "../build/codes.js";
import { heartbeatOf } from "./heartbeat.js";

const choose = (value, byDefault) => (value >= 0 ? +value : byDefault);

/**
 * The values of the options for the core, each in its place. What is not understood leaves the default as it is; a build for development
 * refuses it (`development.js`).
 */
export const readValues = (given) =>
  // The numbers of the options are in the order of the defaults.
  Object.entries(defaults).flatMap(([name, value]) =>
    typeof value === "object" ? Object.entries(value).map(([key, value]) => choose(given[name]?.[key], value)) : choose(given[name], value),
  );

/** The options of a socket: their values for the core, and what JavaScript needs itself. */
export function readOptions(given) {
  const { outbox, heartbeat, shouldReconnect } = given;
  const options = readValues(given);
  options[OPTION_WHEN_FULL] = outbox?.whenFull === "drop-oldest";
  options[OPTION_SENDS_PINGS] = !!heartbeat && heartbeat.silence === undefined;
  options[OPTION_ASKS_APPLICATION] = !!shouldReconnect;
  options[OPTION_SILENCE] = choose(heartbeat?.silence, -1);
  return {
    options,
    hasHeartbeat: !!heartbeat,
    pings: options[OPTION_SENDS_PINGS] ? heartbeatOf(heartbeat.ping, heartbeat.pong) : undefined,
    shouldReconnect,
  };
}
