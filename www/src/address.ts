/** The ticker to watch: `?server=wss://…`, or that of the server that the page came from; while developing, the companion server's. */
export const address =
  new URLSearchParams(location.search).get("server") ??
  (import.meta.env.DEV ? "ws://127.0.0.1:9001/ticker" : `ws${location.origin.slice("http".length)}/ticker`);
