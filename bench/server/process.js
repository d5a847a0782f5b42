import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { native } from "../support/places.js";

const execute = promisify(execFile);

/** What may be used here: the server has one processor for itself, and who loads it another, if there is one. */
export const [SERVER_CORE, LOAD_CORE] = await cores();

/** A server that runs on one processor. */
export class Process {
  #child;
  #contender;
  #address;

  static async start(contender) {
    const server = new Process();
    server.#contender = contender;
    server.#child = spawn("taskset", ["-c", SERVER_CORE, ...contender.command], { stdio: ["ignore", "pipe", "inherit"] });
    const line = await new Promise((resolve, reject) => {
      server.#child.once("error", reject);
      createInterface(server.#child.stdout)
        .once("line", resolve)
        .once("close", () => reject(new Error(`${contender.name} did not come up`)));
    });
    server.#address = line.replace(/^listening on http:\/\//, "");
    return server;
  }

  /** Loads it and returns what that cost. */
  async load(task, path, flags) {
    const all = { address: this.#address, path: this.#contender[path], pid: this.#child.pid, dialect: this.#contender.dialect, ...flags };
    const args = Object.entries(all).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, `${value}`]));
    const load = ["-c", LOAD_CORE, join(native, "bench-load"), task, ...args];
    const { stdout } = await execute("taskset", load).catch(({ stderr, message }) => {
      throw new Error(`${this.#contender.name}, ${task}: ${stderr || message}`);
    });
    return JSON.parse(stdout);
  }

  async stop() {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    // There is nothing to save, and thousands of connections to say goodbye to.
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** The first two processors that this process may run on. */
async function cores() {
  const { stdout } = await execute("taskset", ["-cp", `${process.pid}`]);
  const allowed = stdout.trim().split(": ").at(-1).split(",").flatMap(expand);
  if (allowed.length < 2) console.log("server: there is one processor for server and load: what follows is less exact");
  return [allowed[0], allowed[1] ?? allowed[0]];
}

/** `0-3` is four processors. */
function expand(range) {
  const [first, last = first] = range.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);
}
