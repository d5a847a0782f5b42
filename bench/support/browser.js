/** Chromium, driven by its debugging protocol, and the CPU time of a page. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

import WebSocket from "ws";

const FLAGS = [
  "--headless",
  "--no-first-run",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--disable-background-networking",
  "--disable-component-update",
  // A measured page must not be throttled like a hidden one.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  // A spare renderer would be another process that uses CPU time.
  "--disable-features=SpareRendererForSitePerProcess",
  // The pages collect garbage before each measurement.
  "--js-flags=--expose-gc",
  "--remote-debugging-port=0",
];

/** How long a page is kept busy to find its process, in ms, and the tolerance between two clocks. */
const BURN = 50;
const TOLERANCE = 0.1;

/**
 * The system's Chromium, with as little of its debugging protocol enabled as possible. Its network inspection stays off: with it, each
 * WebSocket frame costs several times as much.
 */
export class Browser {
  #process;
  #profile;
  #debugger;

  static async launch() {
    const browser = new Browser();
    browser.#profile = await mkdtemp(join(tmpdir(), "everwire-bench-"));
    // Chromium's sandbox does not work for root.
    const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const flags = [...FLAGS, ...sandbox, `--user-data-dir=${browser.#profile}`, "about:blank"];
    browser.#process = spawn(chromium(), flags, { stdio: ["ignore", "ignore", "pipe"] });
    browser.#debugger = await DebuggerConnection.connect(await address(browser.#process.stderr));
    return browser;
  }

  /** Opens a page with an empty cache, or in the context of an earlier page, and waits until it has loaded. */
  async open(url, context) {
    const { browserContextId } = context ? { browserContextId: context } : await this.#debugger.call("Target.createBrowserContext");
    const { targetId } = await this.#debugger.call("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.#debugger.call("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this.#debugger, { targetId, sessionId, context: browserContextId });
    await page.go(url);
    return page;
  }

  /** The process IDs of all renderers. */
  async renderers() {
    const { processInfo } = await this.#debugger.call("SystemInfo.getProcessInfo");
    return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  }

  async close() {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.#debugger.call("Browser.close");
    await gone;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A page of the browser. */
export class Page {
  context;
  #debugger;
  #targetId;
  #sessionId;

  constructor(connection, { targetId, sessionId, context }) {
    this.#debugger = connection;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
    this.context = context;
  }

  async go(url) {
    await this.call("Page.enable");
    const loaded = this.#debugger.once("Page.loadEventFired", this.#sessionId);
    await this.call("Page.navigate", { url });
    await loaded;
    await this.call("Page.disable");
  }

  call(method, params) {
    return this.#debugger.call(method, params, this.#sessionId);
  }

  /** Calls a global function of the page and returns its result, awaited if it is a promise. */
  async run(name, ...args) {
    const expression = `${name}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`;
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) {
      throw new Error(`${name} threw in the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  /** Closes the page, and its context unless another page will use that. */
  async close({ keepContext = false } = {}) {
    await this.#debugger.call("Target.closeTarget", { targetId: this.#targetId });
    if (!keepContext) {
      await this.#debugger.call("Target.disposeBrowserContext", { browserContextId: this.context });
    }
  }
}

async function address(stderr) {
  const lines = createInterface(stderr);
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const match = line.match(/^DevTools listening on (ws:\S+)/);
      if (match) resolve(match[1]);
    });
    lines.once("close", () => reject(new Error("Chromium exited before its debugging protocol was ready")));
  });
}

function chromium() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = paths.find(exists);
  if (found === undefined) {
    throw new Error("Chromium is not on PATH: run `cargo xtask setup`, or install it with your system's package manager");
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

/** A connection to the browser's debugging protocol. */
class DebuggerConnection {
  #socket;
  #calls = new Map();
  #listeners = new Set();
  #lastId = 0;

  static async connect(url) {
    const connection = new DebuggerConnection();
    connection.#socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 28 });
    connection.#socket.on("message", (data) => connection.#receive(JSON.parse(data)));
    connection.#socket.on("close", () => connection.#end());
    await once(connection.#socket, "open");
    return connection;
  }

  call(method, params = {}, sessionId) {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#calls.set(id, { method, resolve, reject }));
  }

  /** The next event of a name. */
  once(method, sessionId) {
    return new Promise((resolve) => {
      const listener = (message) => {
        if (message.method !== method || message.sessionId !== sessionId) return;
        this.#listeners.delete(listener);
        resolve(message.params);
      };
      this.#listeners.add(listener);
    });
  }

  #receive(message) {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
    else call.resolve(message.result);
  }

  #end() {
    for (const { method, reject } of this.#calls.values()) reject(new Error(`${method}: the browser is gone`));
    this.#calls.clear();
  }
}

/**
 * The CPU time of a page's main thread, as the system's scheduler counts it. Unlike the browser's `TaskDuration`, this excludes the time
 * during which other processes had the processor.
 */
export class MainThread {
  #file;

  /**
   * Finds the process of a page. The browser does not report the process, but it reports the CPU time of the page's thread: the process
   * with the same CPU time is the page's.
   */
  static async of(browser, page) {
    for (;;) {
      const threads = (await browser.renderers()).map((pid) => new MainThread(pid));
      const before = await Promise.all(threads.map((thread) => thread.seconds()));
      const burnt = await burn(page);
      const after = await Promise.all(threads.map((thread) => thread.seconds()));
      const same = threads.filter((_, index) => Math.abs(after[index] - before[index] - burnt) < burnt * TOLERANCE);
      if (same.length === 1) return same[0];
    }
  }

  constructor(pid) {
    // The main thread of a process has the process's ID, and runs the page.
    this.#file = `/proc/${pid}/task/${pid}/schedstat`;
  }

  async seconds() {
    const [nanoseconds] = (await readFile(this.#file, "latin1").catch(() => "0")).split(" ");
    return Number(nanoseconds) / 1e9;
  }
}

/** Keeps a page busy. Returns the CPU time of its thread, in seconds. */
async function burn(page) {
  await page.call("Performance.enable");
  await page.run("burn", BURN);
  const { metrics } = await page.call("Performance.getMetrics");
  // While enabled, it costs each task a little.
  await page.call("Performance.disable");
  return metrics.find(({ name }) => name === "ThreadTime").value;
}
