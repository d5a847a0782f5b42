import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { nextPort } from "./port.ts";

const root = resolve(import.meta.dirname, "../..");
const program = process.env["EVERWIRE_SERVER"] ?? resolve(root, "target/debug/everwire-companion");
/** On how many ports a server is tried to be started. */
const TRIES = 5;
/** The built demos. */
export const dist = process.env["EVERWIRE_DIST"] ?? resolve(root, "target/demos");

/**
 * A companion server as a process of its own, which serves the built demos and can be told to misbehave. It keeps its
 * port when it is killed and started again, so that a page finds it where it was.
 */
export class Companion {
  #process: ChildProcess | undefined;
  readonly #port = nextPort();
  readonly #flags: readonly string[];
  readonly #pages: string;

  private constructor(flags: readonly string[], pages: string) {
    this.#flags = flags;
    this.#pages = pages;
  }

  /** Starts a server on a port that is free. It serves the demos, unless there is another folder with pages. */
  static async start(flags: readonly string[] = [], pages: string = dist): Promise<Companion> {
    for (const path of [program, pages]) {
      if (!existsSync(path)) {
        throw new Error(`${path} is missing: \`cargo xtask test e2e\` builds it`);
      }
    }
    for (let tries = 1; ; tries += 1) {
      const companion = new Companion(flags, pages);
      try {
        await companion.restart();
        return companion;
      } catch (error) {
        // Somebody else may have the port, once or twice.
        if (tries === TRIES) {
          throw error;
        }
      }
    }
  }

  /** The address of the start page, without a slash at the end. */
  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends the process at once, as a crash would: no socket is closed properly. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Has the process do nothing any more, as on a machine that is stuck: its sockets stay open. It can be killed. */
  stall(): void {
    this.#process?.kill("SIGSTOP");
  }

  /** Asks the process to end, as a deployment would, and waits until it has closed its sockets. */
  async shutDown(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Starts the server again on the port it had, and waits until it listens. It breaks connections on request unless told not to. */
  async restart({ faults = true, flags = this.#flags } = {}): Promise<void> {
    if (this.#process !== undefined) {
      throw new Error("the companion server is running: kill it first");
    }
    const args = ["--listen", `127.0.0.1:${this.#port}`, "--dist", this.#pages, ...(faults ? ["--faults"] : []), ...flags];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    printLog(child);
    this.#process = child;
    await listening(child);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}

/** Prints the log of a server, without the lines that it writes when all is well. */
function printLog({ stderr }: ChildProcess): void {
  if (stderr !== null) {
    createInterface({ input: stderr }).on("line", (line) => {
      if (!/^\S+ +INFO /.test(line)) {
        console.error(line);
      }
    });
  }
}

/** Waits for the first line that the server prints. */
async function listening(child: ChildProcess): Promise<void> {
  if (child.stdout === null) {
    throw new Error("the companion server's stdout is not piped");
  }
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, "line"),
    once(child, "exit").then(([code]) => [`nothing: it ended with ${String(code)}`]),
  ]);
  if (!String(line).startsWith("listening on ")) {
    throw new Error(`the companion server did not come up, it printed ${String(line)}`);
  }
  // What else it prints has to be taken from the pipe, or the server would wait for room in it.
  child.stdout.resume();
}
