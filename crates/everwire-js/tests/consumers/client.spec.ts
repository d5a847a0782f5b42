import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Project } from "../../../../e2e/support/project.ts";
import { webSocket } from "../support/node.ts";
import { expect, test } from "../support/test.ts";

const TALKED = "1; 2; é true; 1,2,3; no-handler\n";

test.describe("The client of channels", () => {
  let project: Project;
  test.beforeAll(async () => {
    project = await Project.from("crates/everwire-js/tests/node-program", ["ws"]);
  });
  test.afterAll(() => project.remove());

  for (const [name, args] of [
    ["the class of the package ws", ["client-with-ws.js"]],
    ["Node.js's own WebSocket", [...webSocket, "client-with-global.js"]],
    ["everwire/inline/client", ["client-inline.js"]],
    ["require", ["client-required.cjs"]],
  ] as const) {
    test(`reads what it publishes with ${name}, and ends`, async ({ companion }) => {
      expect(await project.run(process.execPath, ...args, companion.address)).toBe(TALKED);
    });
  }

  test("loses and repeats nothing over a link that is cut again and again", async ({ companion }) => {
    const printed = await project.run(process.execPath, "client-cuts.js", companion.address);
    expect(printed).toBe("60 messages, each once and in order\n");
  });

  test("runs in a page with its own wasm module and none of a socket's", async ({ companion, page, site }) => {
    await rm(join(site, "node_modules/everwire/dist/everwire.wasm"));
    await writeFile(join(site, "empty.html"), '<!doctype html><link rel="icon" href="data:," />');
    await page.goto(`${companion.address}/empty.html`);
    const received = await page.evaluate(async () => {
      const { EverClient } = await import("/node_modules/everwire/dist/client.js" as string);
      const client = new EverClient("/everwire");
      const chat = client.subscribe("page", { last: 1 });
      await client.publish("page", "hello");
      for await (const item of chat) if (item.type === "message") return [item.value, client.state];
      return undefined;
    });
    expect(received).toEqual(["hello", "attached"]);
  });
});
