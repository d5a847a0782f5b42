import { EverClient, type Item } from "everwire/client";

export async function talk(WebSocket: new (url: string) => any): Promise<Item | undefined> {
  const client = new EverClient("/everwire", { WebSocket, token: () => "t" });
  client.addEventListener("close", ({ error }) => error.code);
  for await (const item of client.subscribe("chat")) return item;
  return undefined;
}
