import { type WebSocket } from "ws";
import { type LibraryServer, listen } from "./server.ts";

type Message = [joinRef: string | null, ref: string | null, topic: string, event: string, payload: unknown];

/** As much of a Phoenix server as a channel needs: joining, heartbeats, pushes, broadcasts. */
export async function phoenix(): Promise<LibraryServer> {
  const joined = new Map<WebSocket, string | null>();
  const heard: string[] = [];
  const { port, stop } = await listen((socket) => {
    socket.on("close", () => joined.delete(socket));
    socket.on("message", (data) => {
      const [joinRef, ref, topic, event, payload] = JSON.parse(String(data)) as Message;
      if (event === "phx_join") {
        joined.set(socket, joinRef);
      }
      if (event === "say" && joined.get(socket) === joinRef) {
        heard.push((payload as { text: string }).text);
      }
      socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
    });
  });
  const say = (text: string) => joined.forEach((_, socket) => socket.send(JSON.stringify([null, null, "news", "said", { text }])));
  return { port, stop, heard, say };
}
