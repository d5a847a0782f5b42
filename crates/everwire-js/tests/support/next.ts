import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Project } from "../../../../e2e/support/project.ts";
import { webSocket } from "./node.ts";

const program = "node_modules/next/dist/bin/next";

/** An application of Next.js as it runs in production. */
export class NextApplication {
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(address: string, process: ChildProcess) {
    this.address = address;
    this.#process = process;
  }

  static async build(project: Project, bundler: "webpack" | "turbopack"): Promise<void> {
    await project.run("env", "NEXT_TELEMETRY_DISABLED=1", process.execPath, program, "build", `--${bundler}`);
  }

  static async start(project: Project): Promise<NextApplication> {
    const args = [...webSocket, program, "start", "--hostname", "127.0.0.1", "--port", "0"];
    const child = spawn(process.execPath, args, {
      cwd: project.folder,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const printed: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      printed.push(line);
      const address = /Local:\s+(\S+)/.exec(line)?.[1];
      if (address !== undefined) {
        // What else it prints has to be taken from the pipe, or it would wait for room in it.
        child.stdout.resume();
        return new NextApplication(address, child);
      }
    }
    throw new Error(`Next.js did not start, and printed:\n${printed.join("\n")}`);
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}
