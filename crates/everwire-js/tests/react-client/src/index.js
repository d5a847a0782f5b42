import { EverClient } from "everwire/client";
import { ClientProvider, useChannel, useClient } from "everwire/react";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";

function Page() {
  const client = useClient("/everwire");
  return createElement(ClientProvider, { client }, createElement(Chat), `${client instanceof EverClient}`);
}

function Chat() {
  const { messages, publish } = useChannel("chat", { last: 10 });
  const texts = messages.map(({ value, isOwn }) => `${value} ${isOwn}`);
  return createElement("button", { onClick: () => publish("hello") }, texts.join());
}

createRoot(document.getElementById("root")).render(createElement(StrictMode, null, createElement(Page)));
