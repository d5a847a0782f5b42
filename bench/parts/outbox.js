import { Browser } from "../support/browser.js";
import { median, quantile, ratio } from "../support/statistics.js";
import { cell, printTable } from "../support/table.js";

/** How many messages wait in the end. The first one of all makes room for those that follow, so the second number is the base. */
const WAITING = [1, 64, 4096];
const BASE = 64;
/** How many turns make a run, and the part of them that kept to the time which counts. */
const TURNS = { full: 20, quick: 8 };
const KEPT = 0.25;
/** How much longer it may take to queue a message behind thousands than behind some. */
const MOST = 1.5;

/** What a message costs that has to wait, by how many wait already. */
export async function outbox({ runs, quick, before, site, report }) {
  const contenders = [{ name: "EverSocket", folder: "" }, ...(before.length > 0 ? [{ name: "EverSocket, before", folder: "before/" }] : [])];
  const results = contenders.map(() => new Map(WAITING.map((waiting) => [waiting, []])));
  const browser = await Browser.launch();
  try {
    for (let run = 0; run < runs; run++) {
      const values = await measure(browser, contenders, quick ? TURNS.quick : TURNS.full, site);
      values.forEach((found, index) => found.forEach((value, waiting) => results[index].get(waiting).push(value)));
      console.log(`outbox: run ${run + 1} of ${runs} done`);
    }
  } finally {
    await browser.close();
  }
  const head = WAITING.map((waiting) => `${waiting.toLocaleString("en")} waiting`);
  const rows = contenders.map(({ name }, index) => [name, ...WAITING.map((waiting) => cell(results[index].get(waiting), results[index].get(BASE)))]);
  printTable(`outbox: ns to queue a message without a key: median of ${runs} runs (least–most) ratio to ${BASE} waiting`, ["", ...head], rows);
  tell(results[0], report);
}

/** One run, in which all take turns. */
async function measure(browser, contenders, turns, site) {
  const pages = [];
  for (const { folder } of contenders) {
    const page = await browser.open(`${site}/outbox.html`);
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
  return times.map((all) => new Map([...all].map(([waiting, values]) => [waiting, quantile(values, KEPT)])));
}

function tell(own, report) {
  for (const [waiting, values] of own) report.value(`outbox_${waiting}_ns`, median(values));
  const most = WAITING.at(-1);
  const times = ratio(own.get(most), own.get(BASE));
  report.value(`outbox_${most}_vs_${BASE}`, times);
  report.atMost(`outbox: with ${most} waiting / with ${BASE}`, times, MOST);
}
