import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

interface Session {
  readonly sessionId: string;
  readonly capabilities: { readonly "moz:processID": number; readonly "moz:profile": string };
}

/** Debian's Firefox over plain WebDriver: Playwright drives only a Firefox that it has patched itself. */
export class Firefox {
  readonly #driver: ChildProcess;
  readonly #given: Session["capabilities"];
  readonly #session: string;

  private constructor(driver: ChildProcess, given: Session["capabilities"], session: string) {
    this.#driver = driver;
    this.#given = given;
    this.#session = session;
  }

  /** `undefined` where Firefox or geckodriver is not installed. */
  static async start(): Promise<Firefox | undefined> {
    const program = find("geckodriver");
    if (program === undefined || (find("firefox") ?? find("firefox-esr")) === undefined) {
      return undefined;
    }
    const driver = spawn(program, ["--port", "0"], { stdio: ["ignore", "pipe", "ignore"] });
    const base = await listening(driver);
    const capabilities = { alwaysMatch: { "moz:firefoxOptions": { args: ["-headless"] }, timeouts: { script: 300_000 } } };
    try {
      const { sessionId, capabilities: given } = (await ask(`${base}/session`, { capabilities })) as Session;
      return new Firefox(driver, given, `${base}/session/${sessionId}`);
    } catch (error) {
      driver.kill();
      throw error;
    }
  }

  async goto(url: string): Promise<void> {
    await ask(`${this.#session}/url`, { url });
  }

  /** Runs the body of an async function in the page. */
  async evaluate(script: string, args: unknown[]): Promise<unknown> {
    // WebDriver's own scripts live in a sandbox with wrappers around the page's objects; an element's is the page's.
    const inPage = `
      (async (...args) => { ${script} })(...${JSON.stringify(args)})
        .then((value) => ({ value }), (error) => ({ error: String(error) }))
        .then((result) => window.dispatchEvent(new CustomEvent("done", { detail: JSON.stringify(result) })));`;
    const wrapped = `
      const [text, done] = arguments;
      window.addEventListener("done", ({ detail }) => done(detail), { once: true });
      const element = document.createElement("script");
      element.textContent = text;
      document.head.append(element);`;
    const answer = (await ask(`${this.#session}/execute/async`, { script: wrapped, args: [inPage] })) as string;
    const { value, error } = JSON.parse(answer) as { value?: unknown; error?: string };
    if (error !== undefined) {
      throw new Error(error);
    }
    return value;
  }

  async stop(): Promise<void> {
    // Asked to quit, it would first wait for sockets that still dial.
    process.kill(this.#given["moz:processID"], "SIGKILL");
    const exited = once(this.#driver, "exit");
    this.#driver.kill("SIGKILL");
    await exited;
    await rm(this.#given["moz:profile"], { recursive: true, force: true, maxRetries: 5 });
  }
}

async function ask(url: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) {
    throw new Error(`WebDriver: ${(value as { message: string }).message}`);
  }
  return value;
}

async function listening(driver: ChildProcess): Promise<string> {
  const lines = createInterface({ input: driver.stdout! });
  for await (const line of lines) {
    const address = /Listening on (\S+)/.exec(line)?.[1];
    if (address !== undefined) {
      driver.stdout!.resume();
      return `http://${address}`;
    }
  }
  throw new Error("geckodriver ended before it listened");
}

function find(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), join(homedir(), ".cargo/bin")];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
