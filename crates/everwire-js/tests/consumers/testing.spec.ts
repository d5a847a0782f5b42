import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Project } from "../../../../e2e/support/project.ts";
import { expect, test } from "../support/test.ts";

const page = resolve(import.meta.dirname, "../../../../docs/testing.md");
/** An example: its first line names its file. */
const EXAMPLE = /^```js\n\/\/ (\S+)\n(.*?)^```$/gms;

interface Runner {
  readonly name: string;
  /** The examples that it runs, by their names on the page. */
  readonly files: readonly string[];
  readonly tests: number;
  readonly packages: readonly string[];
  readonly command: readonly [string, ...string[]];
}

const runners: readonly Runner[] = [
  {
    name: "Vitest",
    files: ["prices.js", "server.test.js", "jsdom.test.js", "mock-socket.test.js", "msw.test.js"],
    tests: 5,
    packages: ["vitest", "jsdom", "mock-socket", "msw", "ws"],
    command: ["vitest", "run", "--reporter=json"],
  },
  {
    name: "Jest",
    files: ["prices.test.js"],
    tests: 2,
    packages: ["jest", "jest-environment-jsdom", "mock-socket"],
    command: ["jest", "--json"],
  },
  {
    name: "Jest with modules",
    files: ["jest.config.mjs", "text-encoder.cjs", "prices.test.mjs"],
    tests: 1,
    packages: ["jest", "jest-environment-jsdom", "mock-socket"],
    command: ["env", "NODE_OPTIONS=--experimental-vm-modules", "jest", "--json"],
  },
];

test.describe("The examples of the page on testing", () => {
  for (const { name, files, tests, packages, command } of runners) {
    test(`pass in ${name}`, async () => {
      const examples = await read();
      const project = await Project.from("crates/everwire-js/tests/testing", packages);
      await Promise.all(files.map((file) => writeFile(project.path(file), examples.get(file) ?? "")));
      const [program, ...args] = command;
      const report = JSON.parse(await project.run(program, ...args)) as { numTotalTests: number; numPassedTests: number };
      expect(report).toMatchObject({ numTotalTests: tests, numPassedTests: tests });
      await project.remove();
    });
  }

  test("are all run", async () => {
    const run = runners.flatMap(({ files }) => files);
    expect([...(await read()).keys()].sort()).toEqual(run.sort());
  });
});

async function read(): Promise<Map<string, string>> {
  const text = await readFile(page, "utf8");
  // Without the line that names the file: Jest takes its environment from the first comment.
  const examples = new Map([...text.matchAll(EXAMPLE)].map(([, file, code]) => [file!, code!]));
  expect(text.split("\n```js\n").length - 1, "examples that name their file").toBe(examples.size);
  return examples;
}
