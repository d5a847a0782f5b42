// Runs the lines of the README's part about Svelte, with a client of this server.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";

import { build } from "esbuild";
import { compile } from "svelte/compiler";
import { address, backoff, serve, sent, subscribes, texts, until } from "./support.js";

const folder = new URL(".", import.meta.url);
const readme = await readFile(new URL("node_modules/everwire/README.md", folder), "utf8");
const [, store, component] = /\n## Svelte\n[^]*?```js\n([^]*?)```[^]*?```svelte\n([^]*?)```/.exec(readme);
const client = `import { EverClient } from "everwire/client"; export const client = new EverClient(${JSON.stringify(address)}, ${JSON.stringify({ backoff })});`;
const main = `export { mount, unmount } from "svelte"; export { default as Chat } from "./Chat.js"; export { client } from "./client.js";`;
const files = { "channel.js": store, "Chat.js": compile(component, { generate: "client" }).js.code, "client.js": client, "main.js": main };
await Promise.all(Object.entries(files).map(([name, text]) => writeFile(new URL(name, folder), text)));
await build({
  absWorkingDir: folder.pathname,
  entryPoints: ["main.js"],
  bundle: true,
  format: "esm",
  conditions: ["browser"],
  external: ["everwire/client"],
  outfile: "bundle.js",
  logLevel: "error",
});
const { mount, unmount, Chat, client: own } = await import("./bundle.js");

serve({
  async readme() {
    const target = document.querySelector("main");
    const chat = mount(Chat, { target });
    document.querySelector("button").click();
    await until(() => texts("p").join() === "hello");
    await own.publish("chat", { text: "again" });
    await until(() => texts("p").join() === "hello,again");
    await unmount(chat);
    await until(() => sent.includes("unsub chat"));
    mount(Chat, { target });
    await until(() => texts("p").length >= 2);
    assert.deepEqual([texts("p"), subscribes("chat")], [["hello", "again"], 2]);
  },
});
