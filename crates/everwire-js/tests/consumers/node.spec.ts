import { rm } from "node:fs/promises";
import { Project } from "../../../../e2e/support/project.ts";
import { webSocket } from "../support/node.ts";
import { expect, test } from "../support/test.ts";

test.describe("Node.js", () => {
  let project: Project;
  test.beforeAll(async () => {
    project = await Project.from("crates/everwire-js/tests/node-program", ["react", "ws"]);
  });
  test.afterAll(() => project.remove());

  for (const [name, args] of [
    ["the class of the package ws", ["with-ws.js"]],
    ["its own WebSocket", [...webSocket, "with-global.js"]],
    ["everwire/inline", ["inline.js"]],
    ["require", ["required.cjs"]],
  ] as const) {
    test(`echoes with ${name}, and ends`, async ({ companion }) => {
      // It only ends when neither a socket nor a timer is left over.
      const printed = await project.run(process.execPath, ...args, `${companion.address}/echo`);
      expect(printed).toBe("text 1,2,3\n");
    });
  }

  test("reads no other file than that of the import", async ({ companion }) => {
    const project = await Project.from("crates/everwire-js/tests/node-program", ["ws"]);
    await rm(project.path("node_modules/everwire/dist/everwire.wasm"));
    expect(await project.run(process.execPath, "with-ws.js", `${companion.address}/echo`)).toBe("text 1,2,3\n");
    await project.remove();
  });

  test("says what to pass where there is no WebSocket", async ({ companion }) => {
    const run = project.run(process.execPath, "without.js", `${companion.address}/echo`);
    await expect(run).rejects.toThrow(/NotSupportedError.*the package ws/);
  });

  test("imports the package where there is no WebAssembly, and each socket says so", async () => {
    const printed = await project.run(process.execPath, "--jitless", "without-wasm.js");
    expect(printed).toBe("Everwire's wasm module cannot be started (WebAssembly is not defined).\n");
  });
});
