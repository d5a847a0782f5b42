import { EverClient, EverError, type GapItem, type Member, type MessageItem, type Published } from "everwire/client";
import { injectClient, provideClient, useChannel, useClient, useClientState, usePresence } from "everwire/vue";
import { computed, ref, type ComputedRef, type ShallowRef } from "vue";
import { check, type Equal } from "./check.js";

interface Line {
  text: string;
}

export function setup(props: { room: string | null }) {
  const client = useClient("wss://example.com/everwire", { token: async () => "t" });
  check<Equal<typeof client, Readonly<ShallowRef<EverClient | null>>>>();
  useClient(ref(null));
  useClient(computed(() => props.room));
  provideClient(client);
  injectClient();
  // @ts-expect-error Misspelt.
  useClient("/", { tokn: "" });
  const { state } = useClientState(client);
  check<Equal<typeof state, ComputedRef<"connecting" | "attached" | "waiting" | "closed" | null>>>();

  const chat = useChannel<Line, Line[]>(() => props.room, {
    client,
    last: 20,
    onItem: (item) => item.type === "message" && check<Equal<typeof item.value, Line>>(),
  });
  check<Equal<typeof chat.messages, ComputedRef<readonly MessageItem<Line>[]>>>();
  check<Equal<[typeof chat.gap, typeof chat.error], [ComputedRef<GapItem | null>, ComputedRef<EverError | null>]>>();
  const published = chat.publish({ text: "hello" }, { key: "k" });
  check<Equal<typeof published, Promise<Published>>>();
  // @ts-expect-error Another value.
  chat.publish({ txt: "hello" });
  // @ts-expect-error Misspelt.
  useChannel("chat", { lst: 20 });
  const { members } = usePresence(ref("chat"), { grace: 0 });
  check<Equal<typeof members, ComputedRef<readonly Member[]>>>();
  return { chat, members };
}
