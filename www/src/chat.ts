import { EverClient } from "everwire/client";

type Message = { id: string; author: { id: string; name: string }; text: string };

const CHANNEL = "chat/lobby";
const [messages, form, name, text] = ["messages", "form", "name", "text"].map((id) => document.getElementById(id)) as
  [HTMLElement, HTMLFormElement, HTMLInputElement, HTMLInputElement];
const rows = new Map<string, HTMLLIElement>();
let visitor: { token: string; user: string } | undefined;

name.value = localStorage.getItem("name") ?? `Guest ${Math.floor(100 + Math.random() * 900)}`;
const client = new EverClient("/everwire", {
  async token() {
    visitor = await (await fetch(`/token?${new URLSearchParams({ name: name.value, renew: visitor?.token ?? "" })}`)).json();
    return visitor!.token;
  },
});
client.addEventListener("attached", () => connection("Connected"));
client.addEventListener("reconnecting", () => connection("Reconnecting"));
client.addEventListener("close", ({ error }) => connection("Disconnected", error.message));

name.onchange = () => (localStorage.setItem("name", name.value), client.reconnect());
form.onsubmit = (event) => {
  event.preventDefault();
  void send({ id: crypto.randomUUID(), author: { id: visitor?.user ?? "", name: name.value }, text: text.value });
  text.value = "";
};

async function send(message: Message): Promise<void> {
  const row = show(message, "pending");
  await client.publish(CHANNEL, message).catch((error) => {
    row.dataset.state = "failed";
    const again = Object.assign(document.createElement("button"), { textContent: "Send again", onclick: () => send(message) });
    row.append(` ${error.message} `, again);
  });
}

/** Shows a message last; one that is there already, such as one's own that the server has stored, in place of what was shown. */
function show({ id, author, text }: Message, state: "pending" | "stored"): HTMLLIElement {
  const row = rows.get(id) ?? document.createElement("li");
  rows.set(id, row);
  row.dataset.state = state;
  row.replaceChildren(Object.assign(document.createElement("b"), { textContent: author.name }), ` ${text}`);
  messages.append(row);
  messages.parentElement!.scrollTop = messages.scrollHeight;
  return row;
}

function connection(state: string, title = state): void {
  document.body.dataset.state = state;
  document.getElementById("state")!.textContent = title;
}

client.presence(CHANNEL).addEventListener("change", ({ members }) => {
  document.getElementById("members")!.textContent = `Here: ${members.map(({ info }) => info?.name ?? "a guest").join(", ")}`;
});
for await (const item of client.subscribe<Message>(CHANNEL, { last: 100 })) {
  if (item.type === "message" && item.value?.author) show(item.value, "stored");
  if (item.type === "gap") messages.append(Object.assign(document.createElement("li"), { textContent: "Some messages are missing here." }));
}
