import { Socket as Client } from "phoenix";
import { type Session, type Socket } from "./session.ts";

export function phoenix(url: string, transport: Socket): Session {
  const client = new Client(url, { transport, reconnectAfterMs: () => 50, rejoinAfterMs: () => 50 });
  client.connect();
  const channel = client.channel("news");
  const received: string[] = [];
  channel.on("said", ({ text }: { text: string }) => void received.push(text));
  channel.join();
  return { received, say: (text) => void channel.push("say", { text }) };
}
