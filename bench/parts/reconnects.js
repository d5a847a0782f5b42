import { Browser } from "../support/browser.js";
import { printTable } from "../support/table.js";

/** After how many reconnects the memory is looked at. */
const STEPS = [1000, 2500, 5000, 7500, 10_000];
/** What the heap may differ by that has nothing to do with reconnecting, such as code that was compiled meanwhile; in bytes. */
const SLACK = 64 * 1024;

/** Memory over many reconnects. */
export async function reconnects({ site, report }) {
  const browser = await Browser.launch();
  const seen = [];
  try {
    const page = await browser.open(`${site}/reconnects.html`);
    await page.call("HeapProfiler.enable");
    await page.run("start", "/clients/everwire.dist.js");
    let done = 0;
    for (const step of STEPS) {
      const { reconnected, wasm } = await page.run("reconnect", step - done);
      if (reconnected !== step) throw new Error(`reconnected ${reconnected} times, not ${step}`);
      done = step;
      seen.push({ step, wasm, ...(await heapOf(page)) });
    }
  } finally {
    await browser.close();
  }
  const show = (number) => number.toLocaleString("en");
  const rows = seen.map(({ step, heap, listeners, wasm }) => [show(step), show(heap), show(listeners), show(wasm)]);
  printTable(
    "reconnects: what EverSocket holds after so many, on a fake network; bytes after a garbage collection",
    ["reconnects", "JavaScript heap", "listeners", "wasm memory"],
    rows,
  );
  const [first, last] = [seen[0], seen.at(-1)];
  report.value("reconnects", last.step);
  report.value("reconnects_heap_growth_bytes", last.heap - first.heap);
  report.value("reconnects_wasm_growth_bytes", last.wasm - first.wasm);
  report.atMost(`reconnects: growth of the heap from ${show(first.step)} to ${show(last.step)}, bytes`, last.heap - first.heap, SLACK, { firm: true });
  report.atMost("reconnects: growth of the wasm memory, bytes", last.wasm - first.wasm, 0, { firm: true });
}

async function heapOf(page) {
  // A first collection runs finalizers, which release more.
  for (let i = 0; i < 3; i++) await page.call("HeapProfiler.collectGarbage");
  const { usedSize } = await page.call("Runtime.getHeapUsage");
  const { jsEventListeners } = await page.call("Memory.getDOMCounters");
  return { heap: usedSize, listeners: jsEventListeners };
}
