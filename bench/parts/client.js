import { Browser } from "../support/browser.js";
import { casesOf, GROUPS, OWN } from "../support/cases.js";
import { choose, id } from "../support/clients.js";
import { cell, printTable } from "../support/table.js";
import { median, quantile, ratio } from "../support/statistics.js";

/** How many rounds a client runs in a turn, and how many turns it gets in a run. */
const ROUNDS = 8;
const TURNS = { full: 8, quick: 4 };
/** The part of the rounds that kept to the time which counts: on a busy machine most are interrupted. */
const KEPT = 0.1;

/** µs that EverSocket may take for a message. */
const MOST = { "text 32 B": 0.6, "text 1 KiB": 0.6, "binary 32 B": 0.6, "binary 1 KiB": 0.6 };
/** What ours may take, in times of their floor's: of the browser's class where its events are dispatched, as they always are in life. */
const MOST_OF_FLOOR = {
  eversocket: { "text 32 B, dispatched": 2.2, "binary 32 B, dispatched": 2.2, "text 64 KiB, dispatched": 1.4, "binary 64 KiB, dispatched": 1.4 },
  "everclient-handler": { "ticks 200 B, dispatched": 1.3, "ticks 200 B, 8 together, dispatched": 1 },
  "everwire-callback": { "text 32 B": 1.6, "ticks 200 B": 1.6, "binary 64 KiB": 1.2 },
};
/** The same, in times of what they took before. */
const MOST_OF_BEFORE = 1.05;

/** The short names under which EverSocket's own values are printed once more, at the end: `client_32_binary_us`. */
const SHORT = Object.fromEntries(
  [...GROUPS.text, ...GROUPS.binary].map((name) => {
    const [kind, count, unit] = name.split(" ");
    return [name, `client_${unit === "KiB" ? `${count}k` : count}_${kind}`];
  }),
);

/** The client's own cost: a fake socket in the page, which answers at once. */
export async function client({ runs, quick, only, before, site, report }) {
  const contenders = choose(only, before);
  const results = new Map(contenders.map(({ file }) => [file, new Map()]));
  const browser = await Browser.launch();
  try {
    for (let run = 0; run < runs; run++) {
      for (const [file, name, value] of await measure(browser, contenders, quick ? TURNS.quick : TURNS.full, site)) {
        results.get(file).set(name, [...(results.get(file).get(name) ?? []), value]);
      }
      console.log(`client: run ${run + 1} of ${runs} done`);
    }
  } finally {
    await browser.close();
  }
  print(contenders, results, runs);
  tell(contenders, results, report);
}

/** One run: all clients are open, each in a process of its own, and take turns in each case. Gives client, case, and µs a message. */
async function measure(browser, contenders, turns, site) {
  const open = [];
  for (const contender of contenders) {
    const page = await browser.open(`${site}/client.html`);
    const cases = casesOf(contender);
    await page.run("prepare", `/clients/${contender.file}.js`, contender.dialect, cases);
    open.push({ file: contender.file, page, names: cases.map(({ name }) => name) });
  }
  const found = [];
  for (const name of new Set(open.flatMap(({ names }) => names))) {
    const present = open.filter(({ names }) => names.includes(name));
    const times = new Map(present.map(({ file }) => [file, []]));
    for (let turn = 0; turn < turns; turn++) {
      for (const { file, page } of present) times.get(file).push(...(await page.run("slice", name, ROUNDS)));
    }
    for (const [file, all] of times) found.push([file, name, quantile(all, KEPT)]);
  }
  for (const { page } of open) await page.close();
  return found;
}

function print(contenders, results, runs) {
  const unit = "µs of main thread a message, without a network";
  const head = (what) => `client: ${what}: median of ${runs} runs (least–most)`;
  const table = (title, rows, base, names) => {
    const shown = rows.filter(({ file }) => names.some((name) => results.get(file)?.has(name)));
    const cells = ({ file }) => names.map((name) => cell(results.get(file).get(name), results.get(base(file))?.get(name)));
    if (shown.length > 0) printTable(title, ["", ...names], shown.map((entry) => [entry.name, ...cells(entry)]));
  };
  for (const [group, names] of Object.entries(GROUPS)) table(head(`${group}; ${unit}`) + " ratio to WebSocket", contenders, () => "raw", names);
  for (const { title, floor, names } of OWN) {
    const rows = contenders.filter((one) => [one.file, one.floor, one.beside].includes(floor));
    table(head(`${title}; ${unit}`) + " ratio to the first", rows, () => floor, names);
  }
  for (const { name, file, after } of contenders.filter(({ after }) => after)) {
    const names = [...results.get(file).keys()];
    const rows = names.map((one) => [one, cell(results.get(file).get(one)), cell(results.get(after).get(one), results.get(file).get(one))]);
    printTable(head(`${name}, and now; ${unit}`) + " ratio to before", ["", "before", "now"], rows);
  }
}

/** The values for programs. */
function tell(contenders, results, report) {
  for (const entry of contenders) {
    const values = results.get(entry.file);
    for (const [name, times] of values) report.value(`client_${id(entry)}_${name}_us`, median(times));
    const bases = { vs_raw: "raw", ...(entry.floor === "web-sys" && { vs_web_sys: "web-sys" }) };
    for (const [what, base] of Object.entries(bases)) {
      for (const [name, times] of ratios(values, results.get(base))) report.value(`client_${id(entry)}_${name}_${what}`, times);
    }
  }
  const own = results.get("eversocket") ?? new Map();
  for (const [name, short] of Object.entries(SHORT).filter(([name]) => own.has(name))) {
    report.value(`${short}_us`, median(own.get(name)));
    for (const times of ratios(new Map([[name, own.get(name)]]), results.get("raw")).values()) report.value(`${short}_vs_raw`, times);
  }
  aim(contenders, results, report);
}

function aim(contenders, results, report) {
  const own = results.get("eversocket");
  for (const [name, most] of Object.entries(own ? MOST : {})) report.atMost(`client ${name}: EverSocket, µs`, median(own.get(name)), most);
  for (const { name, file, floor, after } of contenders) {
    const ofFloor = ratios(results.get(file), results.get(floor));
    for (const [one, most] of Object.entries(MOST_OF_FLOOR[file] ?? {})) {
      if (ofFloor.has(one)) report.atMost(`client ${one}: ${name} / ${floor}`, ofFloor.get(one), most);
    }
    for (const [one, times] of after ? ratios(results.get(after), results.get(file)) : []) {
      report.value(`client_${after}_${one}_vs_before`, times);
      report.atMost(`client ${one}: ${after}, now / before`, times, MOST_OF_BEFORE);
    }
  }
}

/** For each case that both were measured for, the ratio. */
function ratios(values, bases = new Map()) {
  return new Map([...values].filter(([name]) => bases.has(name)).map(([name, times]) => [name, ratio(times, bases.get(name))]));
}
