import { once } from "node:events";
import { type AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A server that a library's client talks to. */
export interface LibraryServer {
  readonly port: number;
  /** Publishes a text to all that have subscribed. */
  say(text: string): void;
  /** The texts that clients have published. */
  readonly heard: readonly string[];
  stop(): Promise<void>;
}

/** What is the same for all of them: a server on a port that is free, which takes the subprotocol that is offered. */
export async function listen(connected: (socket: WebSocket) => void, server = new WebSocketServer({ port: 0, host: "127.0.0.1" })) {
  server.on("connection", connected);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.clients.forEach((client) => client.terminate());
      await closed;
    },
  };
}
