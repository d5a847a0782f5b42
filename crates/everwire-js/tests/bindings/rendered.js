// Draws components as a server does, where none is ever mounted.
import { useChannel as useReactChannel, useClient as useReactClient, usePresence as useReactPresence, ClientProvider } from "everwire/react";
import { provideClient, useChannel, useClient, useClientState, usePresence } from "everwire/vue";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { createSSRApp, h } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";

const url = "wss://example.com/everwire";

function ReactPage() {
  const client = useReactClient(url);
  return createElement(ClientProvider, { client }, createElement(ReactChat));
}

function ReactChat() {
  const { messages, hasCaughtUp } = useReactChannel("chat", { last: 10 });
  return createElement("p", null, `${messages.length} ${hasCaughtUp} ${useReactPresence("chat").members.length}`);
}

const VueChat = {
  setup() {
    const { messages, hasCaughtUp } = useChannel("chat", { last: 10 });
    const { members } = usePresence("chat");
    const { state } = useClientState();
    return () => h("p", `${messages.value.length} ${hasCaughtUp.value} ${members.value.length} ${state.value}`);
  },
};

const VuePage = {
  setup() {
    provideClient(useClient(url));
    return () => h(VueChat);
  },
};

console.log(renderToString(createElement(ReactPage)), await renderVue(createSSRApp(VuePage)));
