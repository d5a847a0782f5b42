import { Browser } from "../support/browser.js";
import { cell, median, printTable, quantile, ratio } from "../support/report.js";

/** The final numbers of waiting messages. The first message of all makes room for the following ones, so the second number is the base. */
const WAITING = [1, 64, 4096];
const BASE = 64;
/** The turns of a run, and the quantile of them that counts: on a busy machine many are interrupted. */
const TURNS = { full: 20, quick: 8 };
const COUNTED_QUANTILE = 0.25;
/** How much longer queueing a message behind thousands may take than behind some. */
const MAX_RATIO = 1.5;

/** The cost of queueing a message, by how many wait already. */
export async function outbox({ runs, quick, before, site, report }) {
  const versions = [{ name: "EverSocket", folder: "" }, ...(before.length > 0 ? [{ name: "EverSocket, before", folder: "before/" }] : [])];
  const results = versions.map(() => new Map(WAITING.map((waiting) => [waiting, []])));
  const browser = await Browser.launch();
  try {
    for (let run = 0; run < runs; run++) {
      const values = await measure(browser, versions, quick ? TURNS.quick : TURNS.full, site);
      values.forEach((found, index) => found.forEach((value, waiting) => results[index].get(waiting).push(value)));
      console.log(`outbox: run ${run + 1} of ${runs} done`);
    }
  } finally {
    await browser.close();
  }
  const head = WAITING.map((waiting) => `${waiting.toLocaleString("en")} waiting`);
  const rows = versions.map(({ name }, index) => [name, ...WAITING.map((waiting) => cell(results[index].get(waiting), results[index].get(BASE)))]);
  printTable(`outbox: ns to queue a message without a key: median of ${runs} runs (min–max) ratio to ${BASE} waiting`, ["", ...head], rows);
  reportValues(results[0], report);
}

/** One run, in which the versions take turns. */
async function measure(browser, versions, turns, site) {
  const pages = [];
  for (const { folder } of versions) {
    const page = await browser.open(`${site}/outbox`);
    await page.run("prepare", `/clients/${folder}everwire.dist.js`);
    pages.push(page);
  }
  const times = pages.map(() => new Map(WAITING.map((waiting) => [waiting, []])));
  for (const waiting of WAITING) {
    for (let turn = 0; turn < turns; turn++) {
      for (const [index, page] of pages.entries()) times[index].get(waiting).push(await page.run("slice", waiting));
    }
  }
  for (const page of pages) await page.close();
  return times.map((all) => new Map([...all].map(([waiting, values]) => [waiting, quantile(values, COUNTED_QUANTILE)])));
}

function reportValues(own, report) {
  for (const [waiting, values] of own) report.value(`outbox_${waiting}_ns`, median(values));
  const most = WAITING.at(-1);
  const times = ratio(own.get(most), own.get(BASE));
  report.value(`outbox_${most}_vs_${BASE}`, times);
  report.atMost(`outbox: with ${most} waiting / with ${BASE}`, times, MAX_RATIO);
}
