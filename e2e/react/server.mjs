// Draws a component as a server does, where nothing is ever mounted.
import { useEverSocket } from "everwire/react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";

function Feed() {
  const { socket, readyState, messages } = useEverSocket("wss://example.com/feed", { keep: 10 });
  return createElement("p", null, JSON.stringify({ socket, readyState, messages }));
}

console.log(renderToString(createElement(Feed)));
