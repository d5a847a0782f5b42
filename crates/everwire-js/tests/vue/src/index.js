import { EverClient } from "everwire/client";
import { provideClient, useChannel, useClient } from "everwire/vue";
import { createApp, h } from "vue";

const Chat = {
  setup() {
    const { messages, publish } = useChannel("chat", { last: 10 });
    const texts = () => messages.value.map(({ value, isOwn }) => `${value} ${isOwn}`);
    return () => h("button", { onClick: () => publish("hello") }, texts().join());
  },
};

createApp({
  setup() {
    const client = useClient("/everwire");
    provideClient(client);
    return () => [h(Chat), `${client.value instanceof EverClient}`];
  },
}).mount("#app");
