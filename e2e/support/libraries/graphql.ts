import { EventEmitter, on } from "node:events";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { type LibraryServer, listen } from "./server.ts";

const schema = buildSchema(`
  type Query { news: String }
  type Mutation { say(text: String!): Boolean }
  type Subscription { news: String }
`);

/** graphql-ws with its own server. */
export async function graphql(): Promise<LibraryServer> {
  const news = new EventEmitter();
  const heard: string[] = [];
  const roots = {
    mutation: { say: ({ text }: { text: string }) => void heard.push(text) },
    subscription: {
      news: async function* () {
        for await (const [text] of on(news, "news")) {
          yield { news: text };
        }
      },
    },
  };
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "graphql-transport-ws" });
  useServer({ schema, roots }, server);
  return { ...(await listen(() => {}, server)), heard, say: (text) => void news.emit("news", text) };
}
