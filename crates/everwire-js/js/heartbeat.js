import { report } from "./events.js";

// The grammar is that of `everwire_core::ping`, and is tested with the same vectors.
/** The answer of an echo, or of a server that knows pings. A space is any white space of JSON, also none. */
const ANSWER = new RegExp(
  String.raw`^ { "p[io]ng" : (0|[1-9]\d{0,15}) (?:, "server_time" : (-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?) )?} $`.replaceAll(
    " ",
    String.raw`[ \t\n\r]*`,
  ),
);
/** No standard answer is longer. */
const MAX_LENGTH = 96;

/** Makes pings from their numbers and reads their answers: `[number or -1, server time or 0]`, or nothing for another message. */
export function heartbeatOf(ping = standardPing, pong) {
  return { ping, read: pong ? (data) => custom(pong, data) : standard };
}

const standardPing = (number) => `{"ping":${number}}`;

function standard(data) {
  const answer = typeof data === "string" && data.length <= MAX_LENGTH && ANSWER.exec(data);
  if (!answer) return undefined;
  const [number, time] = [+answer[1], +(answer[2] ?? 0)];
  return Number.isSafeInteger(number) && isFinite(time) ? [number, time] : undefined;
}

function custom(pong, data) {
  try {
    const answer = pong(data) ?? false;
    const { ping = -1, serverTime = 0 } = typeof answer === "number" ? { ping: answer } : Object(answer);
    // The plus refuses what is no number here, where that is reported as the function's own error.
    return answer === false ? undefined : [+ping, +serverTime];
  } catch (error) {
    report(error);
    return undefined;
  }
}
