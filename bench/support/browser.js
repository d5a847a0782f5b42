import { spawn } from "node:child_process";
import { accessSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

import { Session } from "./session.js";

const FLAGS = [
  "--headless",
  "--no-first-run",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--disable-background-networking",
  "--disable-component-update",
  // A page that is measured must not be throttled as a hidden one.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  // Both calm the comparison: without a spare renderer there is one process to look at.
  "--disable-features=SpareRendererForSitePerProcess",
  "--js-flags=--expose-gc",
  "--remote-debugging-port=0",
];

/**
 * The system's Chromium, driven by its debugging protocol with as little of it switched on as can be. Above all not its network
 * inspection, with which each WebSocket frame costs several times as much.
 */
export class Browser {
  #process;
  #profile;
  #session;

  static async launch() {
    const browser = new Browser();
    browser.#profile = await mkdtemp(join(tmpdir(), "everwire-bench-"));
    // Chromium's sandbox does not work for root.
    const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const flags = [...FLAGS, ...sandbox, `--user-data-dir=${browser.#profile}`, "about:blank"];
    browser.#process = spawn(chromium(), flags, { stdio: ["ignore", "ignore", "pipe"] });
    browser.#session = await Session.connect(await address(browser.#process.stderr));
    return browser;
  }

  /** Opens a page with an empty cache, or in a context that has been opened before, and waits until it has loaded. */
  async open(url, context) {
    const { browserContextId } = context ? { browserContextId: context } : await this.#session.call("Target.createBrowserContext");
    const { targetId } = await this.#session.call("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.#session.call("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this.#session, { targetId, sessionId, context: browserContextId });
    await page.go(url);
    return page;
  }

  /** Every process that shows pages. */
  async renderers() {
    const { processInfo } = await this.#session.call("SystemInfo.getProcessInfo");
    return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  }

  async close() {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.#session.call("Browser.close");
    await gone;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** One page of the browser. */
export class Page {
  context;
  #session;
  #targetId;
  #sessionId;

  constructor(session, { targetId, sessionId, context }) {
    this.#session = session;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
    this.context = context;
  }

  async go(url) {
    await this.call("Page.enable");
    const loaded = this.#session.once("Page.loadEventFired", this.#sessionId);
    await this.call("Page.navigate", { url });
    await loaded;
    await this.call("Page.disable");
  }

  call(method, params) {
    return this.#session.call(method, params, this.#sessionId);
  }

  /** Calls a function of the page's global scope and returns what it, or its promise, gives. */
  async run(name, ...args) {
    const expression = `${name}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`;
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) {
      throw new Error(`${name} threw in the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  /** Closes the page; with its context unless another page is to be opened there. */
  async close({ keepContext = false } = {}) {
    await this.#session.call("Target.closeTarget", { targetId: this.#targetId });
    if (!keepContext) {
      await this.#session.call("Target.disposeBrowserContext", { browserContextId: this.context });
    }
  }
}

async function address(stderr) {
  const lines = createInterface(stderr);
  const found = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const match = line.match(/^DevTools listening on (ws:\S+)/);
      if (match) resolve(match[1]);
    });
    lines.once("close", () => reject(new Error("Chromium ended before it could be driven")));
  });
  return found;
}

function chromium() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = paths.find(exists);
  if (found === undefined) {
    throw new Error("Chromium is not on PATH: run `cargo xtask setup`, or install it by your system's means");
  }
  return found;
}

function exists(path) {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
