import { EverClient, EverError, type GapItem, type Member, type MessageItem, type Published } from "everwire/client";
import { ClientContext, ClientProvider, useChannel, useClient, useClientState, usePresence } from "everwire/react";
import * as inline from "everwire/inline/react";
import { createElement, useContext } from "react";
import { check, type Equal } from "./check.js";

interface Line {
  text: string;
}

export function App() {
  const client = useClient("wss://example.com/everwire", { token: async () => "t", backoff: { maxRetries: 3 } });
  check<Equal<typeof client, EverClient | null>>();
  useClient(null);
  useClient(({ failures }) => `/everwire?${failures}`);
  // @ts-expect-error Misspelt.
  useClient("/", { tokn: "" });
  const { state, reconnecting, roundTrip, error } = useClientState(client);
  check<Equal<typeof state, "connecting" | "attached" | "waiting" | "closed" | null>>();
  check<Equal<[typeof roundTrip, typeof error], [number | undefined, EverError | null]>>();
  // @ts-expect-error A provider has a client, or null.
  createElement(ClientProvider, {});
  return createElement(ClientProvider, { client }, createElement(Chat), `${state} ${reconnecting?.delay}`);
}

function Chat() {
  const chat = useChannel<Line, Line[]>("chat", {
    last: 20,
    keep: 50,
    grace: 1_000,
    onItem: (item) => item.type === "message" && check<Equal<typeof item.value, Line>>(),
    snapshot: async (cursor) => [{ text: cursor }],
  });
  check<Equal<typeof chat.messages, readonly MessageItem<Line>[]>>();
  check<Equal<[typeof chat.gap, typeof chat.error, typeof chat.hasCaughtUp], [GapItem | null, EverError | null, boolean]>>();
  check<Equal<typeof chat.snapshot, Line[] | undefined>>();
  const published = chat.publish({ text: "hello" }, { key: "k" });
  check<Equal<typeof published, Promise<Published>>>();
  // @ts-expect-error Another value.
  chat.publish({ txt: "hello" });
  // @ts-expect-error Misspelt.
  useChannel("chat", { lst: 20 });
  useChannel(null, { client: null });
  const { members } = usePresence("chat", { grace: 0 });
  check<Equal<typeof members, readonly Member[]>>();
  check<Equal<typeof client, EverClient | null>>();
  const client = useContext(ClientContext);
  return chat.messages[0]?.value.text;
}

// The same, wherever the module comes from.
check<Equal<typeof inline.useChannel, typeof useChannel>>();
check<Equal<typeof inline.useClient, typeof useClient>>();
