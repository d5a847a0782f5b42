import { Project } from "../../../../e2e/support/project.ts";
import { expect, test } from "../support/test.ts";

/** Node.js 20 has a WebSocket that it does not show unless asked to, and later ones always have it. */
const asked = "WebSocket" in globalThis ? [] : ["--experimental-websocket"];

test.describe("Node.js", () => {
  let project: Project;
  test.beforeAll(async () => {
    project = await Project.from("crates/everwire-js/tests/node-program", ["ws"]);
  });
  test.afterAll(() => project.remove());

  for (const [name, args] of [
    ["the class of the package ws", ["with-ws.js"]],
    ["its own WebSocket", [...asked, "with-global.js"]],
    ["everwire/inline", ["inline.js"]],
  ] as const) {
    test(`echoes with ${name}, and ends`, async ({ companion }) => {
      // It only ends when neither a socket nor a timer is left over.
      const printed = await project.run(process.execPath, ...args, `${companion.address}/echo`);
      expect(printed).toBe("text 1,2,3\n");
    });
  }

  test("says what to pass where there is no WebSocket", async ({ companion }) => {
    const run = project.run(process.execPath, "without.js", `${companion.address}/echo`);
    await expect(run).rejects.toThrow(/NotSupportedError.*the package ws/);
  });
});
