import { readFile } from "node:fs/promises";

/** How long a page is kept busy to see which process it is, in ms, and how often it has to be seen: others start and end. */
const BURN = 40;
const TIMES = 4;

/**
 * The time that a page's main thread has been on a processor, as the system's scheduler counts it: unlike the browser's own
 * `TaskDuration` it leaves out the time during which other processes had the processor.
 */
export class MainThread {
  #file;

  /** Finds the process of a page: the one that is busy, time after time, when the page is. */
  static async of(browser, page) {
    let [found, times] = [undefined, 0];
    while (times < TIMES) {
      const busiest = await MainThread.#busiest(browser, page);
      [found, times] = busiest === found ? [found, times + 1] : [busiest, 1];
    }
    return new MainThread(found);
  }

  static async #busiest(browser, page) {
    const pids = await browser.renderers();
    const threads = pids.map((pid) => new MainThread(pid));
    const before = await Promise.all(threads.map((thread) => thread.seconds()));
    await page.run("burn", BURN);
    const after = await Promise.all(threads.map((thread) => thread.seconds()));
    const used = after.map((seconds, index) => seconds - before[index]);
    return pids[used.indexOf(Math.max(...used))];
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
