import { Browser } from "../support/browser.js";
import { printTable } from "../support/report.js";

/** After how many reconnects the memory is read. */
const STEPS = [1000, 2500, 5000, 7500, 10_000];
/** The allowed growth of the heap from other causes, such as code that was compiled meanwhile; in bytes. */
const TOLERANCE = 64 * 1024;

/** Memory over many reconnects. */
export async function reconnects({ site, report }) {
  const browser = await Browser.launch();
  const seen = [];
  try {
    const page = await browser.open(`${site}/reconnects`);
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
    "reconnects: memory of EverSocket on a fake network; bytes after a garbage collection",
    ["reconnects", "JavaScript heap", "listeners", "wasm memory"],
    rows,
  );
  const [first, last] = [seen[0], seen.at(-1)];
  const required = { required: true };
  report.value("reconnects", last.step);
  report.value("reconnects_heap_growth_bytes", last.heap - first.heap);
  report.value("reconnects_wasm_growth_bytes", last.wasm - first.wasm);
  report.atMost(`reconnects: growth of the heap from ${show(first.step)} to ${show(last.step)}, bytes`, last.heap - first.heap, TOLERANCE, required);
  report.atMost("reconnects: growth of the wasm memory, bytes", last.wasm - first.wasm, 0, required);
}

async function heapOf(page) {
  // The first collection runs finalizers, which release more.
  for (let i = 0; i < 3; i++) await page.call("HeapProfiler.collectGarbage");
  const { usedSize } = await page.call("Runtime.getHeapUsage");
  const { jsEventListeners } = await page.call("Memory.getDOMCounters");
  return { heap: usedSize, listeners: jsEventListeners };
}
