import { createClient } from "graphql-ws";
import { type Session, type Socket } from "./session.ts";

export function graphql(url: string, webSocketImpl: Socket): Session {
  const retry = { retryAttempts: Infinity, shouldRetry: () => true, retryWait: async () => {} };
  const client = createClient({ url, webSocketImpl, ...retry });
  const received: string[] = [];
  const failed = (error: unknown) => console.error(error);
  client.subscribe<{ news: string }>(
    { query: "subscription { news }" },
    { next: ({ data }) => received.push(data!.news), error: failed, complete: () => {} },
  );
  const say = (text: string) => {
    const mutation = { query: "mutation ($text: String!) { say(text: $text) }", variables: { text } };
    client.subscribe(mutation, { next: () => {}, error: failed, complete: () => {} });
  };
  return { received, say };
}
