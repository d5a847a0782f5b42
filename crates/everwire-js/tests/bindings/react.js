import { address, backoff, serve } from "./support.js";

// What the modules of React see of the document is decided when they are loaded.
const { scenariosOf } = await import("./scenarios.js");
const { ClientProvider, useChannel, useClient, useClientState, usePresence } = await import("everwire/react");
const { Activity, createElement: h, StrictMode } = await import("react");
const { createRoot } = await import("react-dom/client");

const returned = {};
const root = createRoot(document.querySelector("main"));

function show(page) {
  root.render(h(StrictMode, null, page && h(Page, page)));
}

function Page({ url = address, options = { backoff }, label = "page", isHidden, channels = [], presences = [] }) {
  const client = useClient(url, options);
  returned.client = client;
  return h(
    ClientProvider,
    { client },
    h(State, { label }),
    h(Activity, { mode: isHidden ? "hidden" : "visible" }, channels.map((props) => h(Channel, { key: props.name ?? "only", ...props }))),
    presences.map((props) => h(Presence, { key: props.name, ...props })),
  );
}

function State({ label }) {
  const { state } = useClientState();
  return h("output", null, `${label} ${state ?? "no client"}`);
}

function Channel({ channel, name = channel, items, options }) {
  const chat = useChannel(channel, { onItem: (item) => items?.push(item), ...options });
  returned[name] = chat;
  return h("ul", null, chat.messages.map(({ offset, value }) => h("li", { key: offset, className: name }, value)));
}

function Presence({ channel, name }) {
  returned[name] = usePresence(channel);
  return h("p", null, returned[name].members.length);
}

serve(scenariosOf({ show, returned }));
