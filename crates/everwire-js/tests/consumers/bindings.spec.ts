import { expect, test as base } from "@playwright/test";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Companion } from "../../../../e2e/support/companion.ts";
import { Project } from "../../../../e2e/support/project.ts";

const packages = ["esbuild", "esm-env", "jsdom", "react", "react-dom", "svelte", "vue", "ws"];

/** What the scenarios of `bindings` show. */
const scenarios = {
  burst: "hears and shows each of a thousand messages once and in order, by one subscription",
  remount: "goes on where it was when it is mounted again, by the same subscription",
  full: "loses nothing of more than may wait for it",
  ended: "unsubscribes after the grace time, and begins with new messages then",
  shared: "shares the subscription with another component",
  another: "shows and publishes to another channel when its name changes, and to none without a name",
  state: "shows the latest message of each key",
  snapshot: "shows what continues a snapshot",
  presence: "shows who is present, and is neither a leave nor a join when it is mounted again",
  client: "has a client for each address, with the latest functions, which is closed at the end",
  connecting: "shows that the next attempt is under way",
  refused: "says why the server refuses a channel",
  killed: "loses and repeats nothing while the server is killed and comes back",
  gap: "reports the messages that a server has lost, and shows the state of now",
};

/** A program of `bindings`, whose process runs one scenario after another. */
class Program {
  readonly #process: ChildProcess;
  readonly #companion: Companion;
  readonly #journal: string;

  private constructor(process: ChildProcess, companion: Companion, journal: string) {
    this.#process = process;
    this.#companion = companion;
    this.#journal = journal;
  }

  static async start(file: string): Promise<Program> {
    const journal = await mkdtemp(join(tmpdir(), "everwire-journal-"));
    const companion = await Companion.start(["--journal", journal], dirname(file));
    const child = fork(file, [companion.address], { cwd: dirname(file) });
    await once(child, "message");
    return new Program(child, companion, journal);
  }

  /** Runs a scenario, does with the server what it says, and returns its error. */
  async run(scenario: string): Promise<string | null> {
    this.#process.send({ scenario });
    for (;;) {
      const [message] = await once(this.#process, "message");
      if (message.server === undefined) return message.error;
      if (message.server === "forget") await rm(this.#journal, { recursive: true });
      else await this.#companion[message.server as "kill" | "restart"]();
      this.#process.send({});
    }
  }

  async stop(): Promise<void> {
    this.#process.kill();
    await this.#companion.kill();
    await rm(this.#journal, { recursive: true });
  }
}

/** Neither a browser nor a server for each test is needed. */
const testsOf = (file: string) =>
  base.extend<object, { program: Program }>({
    program: [
      async ({}, use) => {
        const project = await Project.from("crates/everwire-js/tests/bindings", packages);
        const program = await Program.start(project.path(file));
        await use(program);
        await program.stop();
        await project.remove();
      },
      { scope: "worker" },
    ],
  });

const hidden = "goes on from its position when it is shown again, however long it was hidden";
for (const [framework, file, shown] of [
  ["React, in Strict Mode,", "react.js", { ...scenarios, hidden }],
  ["Vue", "vue.js", scenarios],
] as const) {
  const test = testsOf(file);
  test.describe(`A component of ${framework}`, () => {
    for (const [scenario, what] of Object.entries(shown)) {
      test(what, async ({ program }) => expect(await program.run(scenario)).toBeNull());
    }
  });
}

const examples = testsOf("readme.js");
for (const framework of ["React", "Vue", "Svelte"]) {
  examples(`The README's example for ${framework} shows what its button publishes`, async ({ program }) => {
    expect(await program.run(framework.toLowerCase())).toBeNull();
  });
}

base("Components are drawn on a server, where no client is made", async () => {
  const project = await Project.from("crates/everwire-js/tests/bindings", packages);
  // One that was made would fail without a WebSocket, or keep the process.
  expect(await project.run(process.execPath, "rendered.js")).toBe("<p>0 false 0</p> <p>0 false 0 null</p>\n");
  await project.remove();
});

base("What is required has the hooks and composables, too", async () => {
  const project = await Project.from("crates/everwire-js/tests/bindings", packages);
  const hooks = "ClientContext,ClientProvider,useChannel,useClient,useClientState,useEverSocket,usePresence";
  const composables = "injectClient,provideClient,useChannel,useClient,useClientState,usePresence";
  expect(await project.run(process.execPath, "required.cjs")).toBe(`true ${hooks} ${composables}\n`);
  await project.remove();
});
