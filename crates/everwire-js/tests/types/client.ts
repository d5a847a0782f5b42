import Default, { EverClient, EverError, type Cursor, type Item, type Published } from "everwire/client";
import { EverClient as Inline } from "everwire/inline/client";
import { check, type Equal } from "./check.js";

check<Equal<typeof Default, typeof EverClient>>();
check<Equal<typeof Inline, typeof EverClient>>();

interface Line {
  text: string;
}

const client = new EverClient("wss://example.com/everwire", {
  token: async ({ failures }) => `${failures}`,
  backoff: { maxRetries: 3 },
  outbox: { maxMessages: 10 },
  signal: AbortSignal.timeout(1_000),
  WebSocket,
  debug: true,
});
new EverClient(async () => new URL("https://example.com"), { token: new Uint8Array(1) });
// @ts-expect-error A client has an address.
new EverClient();
// @ts-expect-error Misspelt.
new EverClient("/", { tokn: "" });
// @ts-expect-error The client has its own heartbeat.
new EverClient("/", { heartbeat: true });

export async function talk() {
  const chat = client.subscribe<Line, Line[]>("chat", { last: 20, conflate: true, snapshot: async (cursor) => fetchLines(cursor) });
  chat.addEventListener("message", ({ value, offset }) => `${value.text} ${offset}`);
  chat.onmessage = ({ value, cursor }) => `${value.text} ${cursor}`;
  chat.addEventListener("gap", (gap) => check<Equal<typeof gap.reason, "trimmed" | "rewritten" | "refused">>());
  // @ts-expect-error There is no such event.
  chat.addEventListener("messages", () => {});
  for await (const item of chat) {
    check<Equal<typeof item, Item<Line, Line[]>>>();
    if (item.type === "message") check<Equal<typeof item.value, Line>>();
    else if (item.type === "snapshot") check<Equal<typeof item.value, Line[]>>();
  }
  check<Equal<typeof chat.cursor, Cursor | undefined>>();

  const published = await client.publish("chat", { text: "hello" }, { key: "k", timeToLive: 1_000 });
  check<Equal<typeof published, Published>>();
  await client.remove("chat", "k");
  // @ts-expect-error A key has a name.
  await client.remove("chat");

  const now = await client.request<number>("now", undefined, { timeout: 1_000 });
  check<Equal<typeof now, number>>();
  for await (const part of client.request<Line>("history")) check<Equal<typeof part, Line>>();

  for await (const members of client.presence("chat")) members.map(({ session, info }) => `${session} ${info}`);

  client.addEventListener("connecting", ({ type }) => type);
  client.addEventListener("attached", ({ session }) => check<Equal<typeof session, "new" | "resumed" | "replaced">>());
  client.addEventListener("reconnecting", ({ delay, cause }) => `${delay} ${cause}`);
  const error = await client.closed;
  check<Equal<typeof error, EverError>>();
  check<Equal<typeof client.stats.pending, number>>();
}

async function fetchLines(_: Cursor): Promise<Line[]> {
  await using other = new EverClient("/");
  return [{ text: other.state }];
}
