import mqttjs, { type IClientOptions } from "mqtt";
import { type Session, type Socket } from "./session.ts";

export function mqtt(url: string, WebSocket: Socket): Session {
  const createWebsocket = (url: string, protocols: string[]) => new WebSocket(url, protocols);
  const client = mqttjs.connect(url, { createWebsocket, keepalive: 0, reconnectPeriod: 50 } as IClientOptions);
  const received: string[] = [];
  client.on("message", (_, payload) => received.push(payload.toString()));
  client.subscribe("news");
  return { received, say: (text) => client.publish("say", text) };
}
