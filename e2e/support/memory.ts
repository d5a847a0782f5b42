import { readFileSync } from "node:fs";
import { type Browser, type Page } from "@playwright/test";

/** The most that was seen of each, in bytes. */
export interface Peaks {
  /** Resident memory of the server's process. */
  server: number;
  /** The JavaScript heap of the page. */
  heap: number;
  /** The memory of the page's WebAssembly. */
  wasm: number;
  /** Resident memory of the largest process that shows pages. */
  renderer: number;
}

/** Has the page tell how large the memory of its WebAssembly is. To be called before the page is loaded. */
export async function exposeWasm(page: Page): Promise<void> {
  await page.addInitScript(() => {
    addEventListener("TrunkApplicationStarted", (event) => {
      (globalThis as { wasm?: unknown }).wasm = (event as CustomEvent).detail.wasm;
    });
  });
}

/** Follows how much memory everything takes that has a part in a page. */
export class MemoryWatch {
  readonly #page: Page;
  readonly #browser: Browser;
  readonly #address: string;

  constructor(page: Page, browser: Browser, address: string) {
    this.#page = page;
    this.#browser = browser;
    this.#address = address;
  }

  /** What there is now. */
  async look(): Promise<Peaks> {
    const [server, heap, wasm, renderer] = await Promise.all([this.#server(), this.#heap(), this.#wasm(), this.#renderer()]);
    return { server, heap, wasm, renderer };
  }

  /** The most of each from now until `over` has happened. */
  async peaksUntil(over: Promise<unknown>): Promise<Peaks> {
    let isOver = false;
    const end = over.finally(() => {
      isOver = true;
    });
    let peaks = await this.look();
    while (!isOver) {
      const now = await this.look();
      peaks = {
        server: Math.max(peaks.server, now.server),
        heap: Math.max(peaks.heap, now.heap),
        wasm: Math.max(peaks.wasm, now.wasm),
        renderer: Math.max(peaks.renderer, now.renderer),
      };
      await Promise.race([end.catch(() => {}), this.#page.waitForTimeout(200)]);
    }
    await end;
    return peaks;
  }

  async #server(): Promise<number> {
    const metrics = await (await fetch(`${this.#address}/metrics`)).text();
    return Number(/^process_resident_memory_bytes (\d+)$/m.exec(metrics)?.[1]);
  }

  async #heap(): Promise<number> {
    const session = await this.#page.context().newCDPSession(this.#page);
    await session.send("Performance.enable");
    const { metrics } = await session.send("Performance.getMetrics");
    await session.detach();
    return metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? Number.NaN;
  }

  #wasm(): Promise<number> {
    return this.#page.evaluate(() => {
      const { wasm } = globalThis as unknown as { wasm: { memory: WebAssembly.Memory } };
      return wasm.memory.buffer.byteLength;
    });
  }

  async #renderer(): Promise<number> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => resident(id));
    return Math.max(...renderers);
  }
}

/** The resident memory of a process; none once it has ended. */
function resident(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
