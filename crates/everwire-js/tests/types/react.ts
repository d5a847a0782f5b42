import { type Data, type EverSocket, type ReconnectingEvent, type SendOptions, type SendOutcome } from "everwire";
import * as inline from "everwire/inline/react";
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
  check<Equal<typeof state.readyState, 0 | 1 | 2 | 3 | null>>();
  check<Equal<typeof state.reconnecting, ReconnectingEvent | null>>();
  check<Equal<typeof state.roundTrip, number | undefined>>();
  check<Equal<typeof state.messages, readonly string[]>>();
  check<Equal<typeof state.send, (data: Data, options?: SendOptions) => SendOutcome>>();

  const values = useEverSocket<{ price: number }, { subscribe: string }>("/prices", {
    json: true,
    onMessage: (_, data) => check<Equal<typeof data, { price: number }>>(),
  });
  check<Equal<typeof values.messages, readonly { price: number }[]>>();
  values.send({ subscribe: "all" }, { timeToLive: 1_000 });
  // @ts-expect-error Another value.
  values.send({ price: 1 });

  useEverSocket(null);
  useEverSocket(() => "/prices");
  // @ts-expect-error Misspelt.
  useEverSocket("/prices", { keeep: 10 });
}

// The same, wherever the core comes from.
check<Equal<typeof inline.useEverSocket, typeof useEverSocket>>();
