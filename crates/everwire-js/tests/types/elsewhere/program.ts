// What any program can say, whatever its compiler knows of the platform: names of the language alone.
import Default, { defaults, EverSocket, init, initSync, type DropEvent, type EverSocketOptions, type ReconnectingEvent } from "everwire";
import * as inline from "everwire/inline";
import { useEverSocket } from "everwire/react";
import { useEverSocket as useInline } from "everwire/inline/react";
import { check, type Equal } from "../check.js";

const options: EverSocketOptions = { heartbeat: { silence: 30_000 }, backoff: { max: defaults.backoff.max } };
const socket = new EverSocket(async ({ failures }) => `wss://example.com/${failures}`, ["a"], options);
check<Equal<typeof Default, typeof inline.EverSocket>>();

socket.binaryType = "arraybuffer";
socket.onmessage = ({ data, type }) => check<Equal<[typeof data, typeof type], [any, string]>>();
socket.addEventListener("close", ({ code, reason, wasClean }) => check<Equal<[typeof code, typeof reason, typeof wasClean], [number, string, boolean]>>());
socket.addEventListener("reconnecting", (event) => {
  check<Equal<typeof event, ReconnectingEvent>>();
  check<Equal<typeof event.delay, number>>();
  check<Equal<typeof event.type, "reconnecting">>();
  event.preventDefault();
});
socket.addEventListener("drop", (event: DropEvent) => check<Equal<typeof event.bytes, number>>(), { once: true });
socket.addEventListener("custom", ({ timeStamp }) => check<Equal<typeof timeStamp, number>>());
// @ts-expect-error No event has this.
socket.addEventListener("close", ({ attempt }) => attempt);

socket.send("text", { key: "a" });
socket.send(new Uint8Array(1).buffer);
// @ts-expect-error An object is sent by `json()`.
socket.send({});

class Mine extends EverSocket {
  override close() {
    super.close(3000);
  }
}
new Mine("wss://example.com").close();

init("/everwire.wasm");
initSync(new Uint8Array());
// @ts-expect-error Nothing is no source.
init(null);

export function Prices() {
  return useEverSocket<string>("/prices", { onMessage: ({ data }) => data, keep: 1 }).messages.concat(useInline(null).messages);
}
