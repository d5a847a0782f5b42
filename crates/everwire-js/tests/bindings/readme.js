// Runs the examples of the README for the frameworks, with a client of this server.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";

import { build } from "esbuild";
import { compile } from "svelte/compiler";
import { compileScript, parse } from "vue/compiler-sfc";
import { address, backoff, sent, serve, subscribes, texts, until } from "./support.js";

const readme = await readFile("node_modules/everwire/README.md", "utf8");

/** The first block in a language after a heading. */
function example(heading, language) {
  const [, after] = readme.split(`\n${heading}\n`);
  return after.split(`\`\`\`${language}\n`)[1].split("```")[0].replaceAll("wss://example.com/everwire", address);
}

/** Bundles files for a browser, and imports the first. */
async function load(files) {
  await Promise.all(Object.entries(files).map(([name, code]) => writeFile(name, code)));
  const [entry] = Object.keys(files);
  await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    jsx: "automatic",
    conditions: ["browser"],
    external: ["everwire", "react", "react-dom", "vue"],
    outfile: `${entry}.bundle.js`,
    logLevel: "error",
    allowOverwrite: true,
  });
  return import(`./${entry}.bundle.js`);
}

/** How often the button of an example was pressed: they share the channel. */
let waves = 0;

/** Presses the button, and waits until what that publishes is shown. */
async function wave(selector) {
  document.querySelector("button").click();
  waves += 1;
  await until(() => texts(selector).filter((text) => text === "hello").length === waves);
}

serve({
  async react() {
    globalThis.freshToken = () => undefined;
    const code = example("### Channels in React", "jsx");
    const { createRoot, App, createElement } = await load({
      "react-example.jsx": `${code}\nexport { App };\nexport { createElement } from "react";\nexport { createRoot } from "react-dom/client";`,
    });
    const root = createRoot(document.querySelector("main"));
    root.render(createElement(App));
    await until(() => texts("p").join() === "attached, 1 here");
    await wave("li");
    root.unmount();
  },

  async vue() {
    const { content } = compileScript(parse(example("## Vue", "vue")).descriptor, { id: "chat", inlineTemplate: true });
    const { createApp, Chat } = await load({
      "vue-example.js": `export { createApp } from "vue";\nexport { default as Chat } from "./Chat.vue.js";`,
      "Chat.vue.js": content,
    });
    const app = createApp(Chat, { room: "chat" });
    app.mount("main");
    await until(() => texts("p").join() === "1 here");
    await wave("li");
    app.unmount();
  },

  async svelte() {
    const client = `import { EverClient } from "everwire/client";\nexport const client = new EverClient(${JSON.stringify(address)}, ${JSON.stringify({ backoff })});`;
    const { mount, unmount, Chat, ...own } = await load({
      "svelte-example.js": `export { mount, unmount } from "svelte";\nexport { default as Chat } from "./Chat.svelte.js";\nexport { client } from "./client.js";`,
      "Chat.svelte.js": compile(example("## Svelte", "svelte"), { generate: "client" }).js.code,
      "channel.js": example("## Svelte", "js"),
      "client.js": client,
    });
    const before = subscribes("chat");
    const target = document.querySelector("main");
    const chat = mount(Chat, { target });
    await until(() => subscribes("chat") > before);
    await wave("p");
    await own.client.publish("chat", { text: "again" });
    await until(() => texts("p").at(-1) === "again");
    const shown = texts("p");
    sent.length = 0;
    await unmount(chat);
    await until(() => sent.includes("unsub chat"));
    const again = mount(Chat, { target });
    await until(() => texts("p").length >= shown.length);
    assert.deepEqual([texts("p"), subscribes("chat")], [shown, 1]);
    await unmount(again);
  },
});
