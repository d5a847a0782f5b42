import { address, backoff, serve } from "./support.js";

// What the modules of Vue see of the document is decided when they are loaded.
const { scenariosOf } = await import("./scenarios.js");
const { provideClient, useChannel, useClient, useClientState, usePresence } = await import("everwire/vue");
const { computed, createApp, h, reactive, shallowRef } = await import("vue");

const returned = {};
const page = shallowRef(null);
const show = (next) => (page.value = next);

const Page = {
  props: ["page"],
  setup(props) {
    const options = {
      backoff,
      get token() {
        return props.page.options?.token;
      },
    };
    const client = useClient(computed(() => (props.page.url === undefined ? address : props.page.url)), options);
    provideClient(client);
    return () => {
      returned.client = client.value;
      const { label = "page", channels = [], presences = [] } = props.page;
      return [
        h(State, { label }),
        ...channels.map((given) => h(Channel, { key: given.name ?? "only", given })),
        ...presences.map((given) => h(Presence, { key: given.name, given })),
      ];
    };
  },
};

const State = {
  props: ["label"],
  setup(props) {
    const { state } = useClientState();
    return () => h("output", `${props.label} ${state.value ?? "no client"}`);
  },
};

const Channel = {
  props: ["given"],
  setup(props) {
    const { channel, name = channel, items, options } = props.given;
    const chat = useChannel(() => props.given.channel, { onItem: (item) => items?.push(item), ...options });
    returned[name] = reactive(chat);
    return () => h("ul", chat.messages.value.map(({ offset, value }) => h("li", { key: offset, class: name }, String(value))));
  },
};

const Presence = {
  props: ["given"],
  setup({ given: { channel, name } }) {
    const { members, error } = usePresence(channel);
    returned[name] = reactive({ members, error });
    return () => h("p", members.value.length);
  },
};

createApp(() => page.value && h(Page, { page: page.value })).mount("main");
serve(scenariosOf({ show, returned }));
