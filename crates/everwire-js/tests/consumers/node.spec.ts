import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Project } from "../support/project.ts";
import { expect, test } from "../support/test.ts";

const run = promisify(execFile);

/** Node.js 20 has a WebSocket that it does not show unless asked to, and later ones always have it. */
const asked = "WebSocket" in globalThis ? [] : ["--experimental-websocket"];

test.describe("Node.js", () => {
  let project: Project;
  test.beforeAll(async () => {
    project = await Project.from("node-program", ["ws"]);
  });
  test.afterAll(() => project.remove());

  /** Runs a program to its end, which it only comes to when neither a socket nor a timer is left over. */
  const node = (url: string, ...args: string[]) => run(process.execPath, [...args, url], { cwd: project.folder, timeout: 20_000 });

  for (const [name, args] of [
    ["the class of the package ws", ["with-ws.js"]],
    ["its own WebSocket", [...asked, "with-global.js"]],
    ["everwire/inline", ["inline.js"]],
  ] as const) {
    test(`echoes with ${name}, and ends`, async ({ companion }) => {
      const { stdout } = await node(`${companion.address}/echo`, ...args);
      expect(stdout).toBe("text 1,2,3\n");
    });
  }

  test("says what to pass where there is no WebSocket", async ({ companion }) => {
    await expect(node(`${companion.address}/echo`, "without.js")).rejects.toThrow(/NotSupportedError.*the package ws/);
  });
});
