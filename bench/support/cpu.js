import { readFile } from "node:fs/promises";

/** How long a page is kept busy to see which process it is, in ms, and by how much of it two clocks may differ. */
const BURN = 50;
const TOLERANCE = 0.1;

/**
 * The time that a page's main thread has been on a processor, as the system's scheduler counts it: unlike the browser's own
 * `TaskDuration` it leaves out the time during which other processes had the processor.
 */
export class MainThread {
  #file;

  /**
   * Finds the process of a page. The browser does not report it, but it reports how long the page's thread was on a processor: the
   * process with the same time is the page's.
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
    // The thread that a process starts with has its number, and is the one that runs the page.
    this.#file = `/proc/${pid}/task/${pid}/schedstat`;
  }

  async seconds() {
    const [nanoseconds] = (await readFile(this.#file, "latin1").catch(() => "0")).split(" ");
    return Number(nanoseconds) / 1e9;
  }
}

/** Keeps a page busy; gives the seconds that its thread was on a processor. */
async function burn(page) {
  await page.call("Performance.enable");
  await page.run("burn", BURN);
  const { metrics } = await page.call("Performance.getMetrics");
  // It would cost each task a little.
  await page.call("Performance.disable");
  return metrics.find(({ name }) => name === "ThreadTime").value;
}
