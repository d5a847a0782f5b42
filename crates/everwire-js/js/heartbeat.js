import { report } from "./emitter.js";

/** An echo's answer, or that of a server that knows pings. */
const ANSWER = /^\s*\{\s*"p[io]ng"\s*:\s*(\d+)\s*(?:,\s*"server_time"\s*:\s*([\d.]+)\s*)?\}\s*$/;
/** No standard answer is longer: a 20-digit number, and a time with fraction. */
const MAX_LENGTH = 96;

/** The words in which a ping is asked and answered. `read` tells `[number or -1, server time or 0]`, or nothing. */
export function wordsOf(ping = standardPing, pong) {
  return { ask: ping, read: pong ? (data) => custom(pong, data) : standard };
}

const standardPing = (number) => `{"ping":${number}}`;

function standard(data) {
  const answer = typeof data === "string" && data.length <= MAX_LENGTH && ANSWER.exec(data);
  return answer ? [Number(answer[1]), Number(answer[2] ?? 0)] : undefined;
}

function custom(pong, data) {
  try {
    const answer = pong(data) ?? false;
    const { ping = -1, serverTime = 0 } = typeof answer === "number" ? { ping: answer } : Object(answer);
    // The plus refuses what wasm would: a call of it that throws is a trap.
    return answer === false ? undefined : [+ping, +serverTime];
  } catch (error) {
    report(error);
    return undefined;
  }
}
