import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { FilesPage, makeFile } from "../support/files-page.ts";
import { MemoryWatch, exposeWasm } from "../support/memory.ts";
import { expect, test } from "../support/test.ts";

/**
 * The size of the file. To test with a gibibyte:
 *
 *     EVERWIRE_FILE_BYTES=1073741824 cargo xtask test e2e --filter files-large
 */
const size = Number(process.env["EVERWIRE_FILE_BYTES"] ?? 64 << 20);
const megabyte = 1e6;

test("a large file is sent with constant memory in the page and in the server", async ({ page, browser, companion }, info) => {
  test.setTimeout(90_000 + size / 1e4);
  const path = info.outputPath("large.bin");
  await makeFile(path, size);
  const expected = await hash(createReadStream(path));
  await exposeWasm(page);
  const files = await FilesPage.visit(page);
  await page.evaluate(() => {
    const tasks: number[] = ((globalThis as { tasks?: number[] }).tasks = []);
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  });
  const watch = new MemoryWatch(page, browser, companion.address);
  const before = await watch.look();

  const start = performance.now();
  await files.input.setInputFiles(path);
  const transfer = files.transfer("large.bin");
  const complete = expect(transfer.tag).toHaveText("Complete", { timeout: 60_000 + size / 1e4 });
  let seconds = Number.NaN;
  const peaks = await watch.peaksUntil(complete.then(() => {
    seconds = (performance.now() - start) / 1e3;
  }));
  const longTasks = await page.evaluate(() => (globalThis as unknown as { tasks: number[] }).tasks);

  const address = String(await files.link("large.bin").getAttribute("href"));
  const fetchStart = performance.now();
  const { body } = await fetch(address);
  const fetched = await hash(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]));
  const fetchSeconds = (performance.now() - fetchStart) / 1e3;
  const after = await watch.look();

  const grown = (what: keyof typeof peaks) => `${(before[what] / megabyte).toFixed(1)} → ${(peaks[what] / megabyte).toFixed(1)} MB peak`;
  console.log(
    [
      `files-large: ${size} bytes`,
      `up:       ${(size / megabyte / seconds).toFixed(1)} MB/s (${seconds.toFixed(2)} s, checksums included)`,
      `down:     ${(size / megabyte / fetchSeconds).toFixed(1)} MB/s (${fetchSeconds.toFixed(2)} s)`,
      `server:   ${grown("server")}, ${(after.server / megabyte).toFixed(1)} MB after the download`,
      `page:     heap ${grown("heap")}; wasm ${grown("wasm")}; process ${grown("renderer")}`,
      `blocked:  ${longTasks.length} tasks over 50 ms, the longest ${Math.max(0, ...longTasks).toFixed(0)} ms`,
    ].join("\n"),
  );

  expect(fetched).toBe(expected);
  expect(peaks.server - before.server, "growth of the server").toBeLessThan(32 * megabyte);
  expect(after.server - before.server, "growth of the server after the download").toBeLessThan(32 * megabyte);
  expect(peaks.wasm - before.wasm, "growth of the page's WebAssembly memory").toBeLessThan(16 * megabyte);
  expect(peaks.heap - before.heap, "growth of the page's heap").toBeLessThan(32 * megabyte);
});

async function hash(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) {
    hash.update(piece as Uint8Array);
  }
  return hash.digest("hex");
}
