import { Aedes } from "aedes";
import { createWebSocketStream } from "ws";
import { type LibraryServer, listen } from "./server.ts";

/** An MQTT broker over WebSocket. */
export async function mqtt(): Promise<LibraryServer> {
  const broker = await Aedes.createBroker();
  const heard: string[] = [];
  broker.on("publish", ({ topic, payload }) => {
    if (topic === "say") {
      heard.push(payload.toString());
    }
  });
  const { port, stop } = await listen((socket) => {
    const stream = createWebSocketStream(socket);
    // A connection that is cut is no error of the broker's.
    stream.on("error", () => {});
    broker.handle(stream);
  });
  const say = (text: string) => {
    const packet = { cmd: "publish", topic: "news", payload: text, qos: 0, retain: false, dup: false } as const;
    broker.publish(packet, () => {});
  };
  return {
    port,
    heard,
    say,
    stop: async () => {
      await new Promise<void>((closed) => broker.close(closed));
      await stop();
    },
  };
}
