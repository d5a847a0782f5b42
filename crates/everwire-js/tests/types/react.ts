import { type EverSocket, type ReconnectingEvent } from "everwire";
import { useEverSocket } from "everwire/react";
import { check, type Equal } from "./check.js";

export function Prices() {
  const state = useEverSocket<string>("/prices", {
    protocols: ["prices.v1"],
    heartbeat: true,
    keep: 10,
    onMessage: (event) => check<Equal<typeof event, MessageEvent>>(),
  });
  check<Equal<typeof state.socket, EverSocket | null>>();
  check<Equal<typeof state.readyState, 0 | 1 | 2 | 3>>();
  check<Equal<typeof state.reconnecting, ReconnectingEvent | null>>();
  check<Equal<typeof state.roundTrip, number | undefined>>();
  check<Equal<typeof state.messages, readonly string[]>>();

  useEverSocket(null);
  useEverSocket(() => "/prices");
  // @ts-expect-error Misspelt.
  useEverSocket("/prices", { keeep: 10 });
}
