import { EverSocket, type Cause, type DropEvent, type FailureEvent, type LatencyEvent, type ReconnectedEvent, type ReconnectingEvent } from "everwire";
import { check, type Equal } from "./check.js";

const socket = new EverSocket("/");

socket.addEventListener("open", (event) => check<Equal<typeof event, Event>>());
socket.addEventListener("message", (event) => check<Equal<typeof event, MessageEvent>>());
socket.addEventListener("error", (event) => check<Equal<typeof event, FailureEvent>>());
socket.addEventListener("close", (event) => check<Equal<typeof event, CloseEvent>>(), { once: true });
socket.addEventListener("reconnecting", (event) => check<Equal<typeof event, ReconnectingEvent>>());
socket.addEventListener("reconnected", (event) => check<Equal<typeof event, ReconnectedEvent>>());
socket.addEventListener("latency", (event) => check<Equal<typeof event, LatencyEvent>>());
socket.addEventListener("drop", (event) => check<Equal<typeof event, DropEvent>>());

// As with any EventTarget: objects, other events, nobody.
socket.addEventListener("message", { handleEvent: (event) => check<Equal<typeof event, MessageEvent>>() });
socket.addEventListener("custom", (event) => check<Equal<typeof event, Event>>());
socket.addEventListener("open", null);
socket.removeEventListener("drop", (event) => check<Equal<typeof event, DropEvent>>());
socket.dispatchEvent(new Event("custom"));

socket.onreconnecting = (event) => {
  check<Equal<typeof event.cause, Cause>>();
  check<Equal<typeof event.delay, number>>();
  // @ts-expect-error What an event tells is not to be changed.
  event.delay = 0;
};
socket.ondrop = ({ reason, bytes }) => {
  check<Equal<typeof reason, "connection-lost" | "expired" | "evicted" | "replaced" | "closed" | "unread">>();
  check<Equal<typeof bytes, number>>();
};
socket.onmessage = null;
// @ts-expect-error There is no such event.
socket.onreconnect = () => {};
