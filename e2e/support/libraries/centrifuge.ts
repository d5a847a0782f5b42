import { type WebSocket } from "ws";
import { type LibraryServer, listen } from "./server.ts";

interface Command {
  readonly id?: number;
  readonly connect?: object;
  readonly subscribe?: object;
  readonly publish?: { readonly data: string };
}

/** As much of a Centrifugo server as a channel needs, in its JSON protocol: a command or reply per line. */
export async function centrifuge(): Promise<LibraryServer> {
  const subscribed = new Set<WebSocket>();
  const heard: string[] = [];
  const { port, stop } = await listen((socket) => {
    const reply = (answer: object) => socket.send(JSON.stringify(answer));
    socket.on("close", () => subscribed.delete(socket));
    socket.on("message", (data) => {
      for (const line of String(data).split("\n")) {
        const { id, connect, subscribe, publish } = JSON.parse(line) as Command;
        if (connect !== undefined) {
          reply({ id, connect: { client: "one", version: "1", ping: 25, pong: true } });
        } else if (subscribe !== undefined) {
          subscribed.add(socket);
          reply({ id, subscribe: {} });
        } else if (publish !== undefined) {
          heard.push(publish.data);
          reply({ id, publish: {} });
        }
      }
    });
  });
  const say = (text: string) => {
    const push = JSON.stringify({ push: { channel: "news", pub: { data: text } } });
    subscribed.forEach((socket) => socket.send(push));
  };
  return { port, stop, heard, say };
}
