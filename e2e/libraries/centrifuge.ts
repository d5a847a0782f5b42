import { Centrifuge } from "centrifuge";
import { type Session, type Socket } from "./session.ts";

export function centrifuge(url: string, websocket: Socket): Session {
  const client = new Centrifuge(url, { websocket, minReconnectDelay: 20, maxReconnectDelay: 100 });
  const subscription = client.newSubscription("news");
  const received: string[] = [];
  subscription.on("publication", ({ data }) => received.push(data as string));
  subscription.subscribe();
  client.connect();
  return { received, say: (text) => void client.publish("news", text) };
}
