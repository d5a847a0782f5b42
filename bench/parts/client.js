import { casesOf, choose, GROUPS, OWN, valueName } from "../clients.js";
import { Browser } from "../support/browser.js";
import { cell, median, printTable, quantile, ratio } from "../support/report.js";

/** The rounds of a turn, and the turns of a run. */
const ROUNDS = 8;
const TURNS = { full: 8, quick: 4 };
/** The quantile of the rounds that counts: on a busy machine most are interrupted. */
const COUNTED_QUANTILE = 0.1;

/** How many µs EverSocket may take per message. */
const MAX_US = { "text 32 B": 0.6, "text 1 KiB": 0.6, "binary 32 B": 0.6, "binary 1 KiB": 0.6 };
/** How many times the time of their baseline our clients may take. EverSocket is compared with dispatched events, as in a browser. */
const MAX_RATIO_TO_BASELINE = {
  eversocket: { "text 32 B, dispatched": 2.2, "binary 32 B, dispatched": 2.2, "text 64 KiB, dispatched": 1.4, "binary 64 KiB, dispatched": 1.4 },
  "everclient-handler": { "ticks 200 B, dispatched": 1.3, "ticks 200 B, 8 together, dispatched": 1 },
  "everwire-callback": { "text 32 B": 1.6, "ticks 200 B": 1.6, "binary 64 KiB": 1.2 },
};
/** The same, compared with another checkout. */
const MAX_RATIO_TO_BEFORE = 1.05;

/** Short names for the values of EverSocket, which are printed once more at the end: `client_32_binary_us`. */
const SHORT_NAMES = Object.fromEntries(
  [...GROUPS.text, ...GROUPS.binary].map((name) => {
    const [kind, count, unit] = name.split(" ");
    return [name, `client_${unit === "KiB" ? `${count}k` : count}_${kind}`];
  }),
);

/** The client's own cost, on a fake socket in the page that answers at once. */
export async function client({ runs, quick, only, before, site, report }) {
  const clients = choose(only, before);
  const results = new Map(clients.map(({ id }) => [id, new Map()]));
  const browser = await Browser.launch();
  try {
    for (let run = 0; run < runs; run++) {
      for (const [id, name, value] of await measure(browser, clients, quick ? TURNS.quick : TURNS.full, site)) {
        results.get(id).set(name, [...(results.get(id).get(name) ?? []), value]);
      }
      console.log(`client: run ${run + 1} of ${runs} done`);
    }
  } finally {
    await browser.close();
  }
  print(clients, results, runs);
  reportValues(clients, results, report);
}

/** One run: all clients are open, each in its own process, and take turns in each case. Returns client, case, and µs per message. */
async function measure(browser, clients, turns, site) {
  const open = [];
  for (const client of clients) {
    const page = await browser.open(`${site}/client`);
    const cases = casesOf(client);
    await page.run("prepare", `/clients/${client.id}.js`, client.dialect, cases);
    open.push({ id: client.id, page, names: cases.map(({ name }) => name) });
  }
  const found = [];
  for (const name of new Set(open.flatMap(({ names }) => names))) {
    const present = open.filter(({ names }) => names.includes(name));
    const times = new Map(present.map(({ id }) => [id, []]));
    for (let turn = 0; turn < turns; turn++) {
      for (const { id, page } of present) times.get(id).push(...(await page.run("slice", name, ROUNDS)));
    }
    for (const [id, all] of times) found.push([id, name, quantile(all, COUNTED_QUANTILE)]);
  }
  for (const { page } of open) await page.close();
  return found;
}

function print(clients, results, runs) {
  const unit = "µs of main thread per message, without a network";
  const head = (what) => `client: ${what}: median of ${runs} runs (min–max)`;
  const table = (title, rows, base, names) => {
    const shown = rows.filter(({ id }) => names.some((name) => results.get(id)?.has(name)));
    const cells = ({ id }) => names.map((name) => cell(results.get(id).get(name), results.get(base)?.get(name)));
    if (shown.length > 0) printTable(title, ["", ...names], shown.map((entry) => [entry.name, ...cells(entry)]));
  };
  for (const [group, names] of Object.entries(GROUPS)) table(head(`${group}; ${unit}`) + " ratio to WebSocket", clients, "raw", names);
  for (const { title, baseline, names } of OWN) {
    const rows = clients.filter((client) => [client.id, client.baseline, client.comparedWith].includes(baseline));
    table(head(`${title}; ${unit}`) + " ratio to the baseline", rows, baseline, names);
  }
  for (const { name, id, after } of clients.filter(({ after }) => after)) {
    const names = [...results.get(id).keys()];
    const rows = names.map((one) => [one, cell(results.get(id).get(one)), cell(results.get(after).get(one), results.get(id).get(one))]);
    printTable(head(`${name}, and now; ${unit}`) + " ratio to before", ["", "before", "now"], rows);
  }
}

/** The values for programs. */
function reportValues(clients, results, report) {
  for (const client of clients) {
    const values = results.get(client.id);
    for (const [name, times] of values) report.value(`client_${valueName(client)}_${name}_us`, median(times));
    const bases = { vs_raw: "raw", ...(client.baseline === "web-sys" && { vs_web_sys: "web-sys" }) };
    for (const [what, base] of Object.entries(bases)) {
      for (const [name, times] of ratios(values, results.get(base))) report.value(`client_${valueName(client)}_${name}_${what}`, times);
    }
  }
  const own = results.get("eversocket") ?? new Map();
  for (const [name, short] of Object.entries(SHORT_NAMES).filter(([name]) => own.has(name))) {
    report.value(`${short}_us`, median(own.get(name)));
    for (const times of ratios(new Map([[name, own.get(name)]]), results.get("raw")).values()) report.value(`${short}_vs_raw`, times);
  }
  reportTargets(clients, results, report);
}

function reportTargets(clients, results, report) {
  const own = results.get("eversocket");
  for (const [name, max] of Object.entries(own ? MAX_US : {})) report.atMost(`client ${name}: EverSocket, µs`, median(own.get(name)), max);
  for (const { name, id, baseline, after } of clients) {
    const toBaseline = ratios(results.get(id), results.get(baseline));
    for (const [one, max] of Object.entries(MAX_RATIO_TO_BASELINE[id] ?? {})) {
      if (toBaseline.has(one)) report.atMost(`client ${one}: ${name} / ${baseline}`, toBaseline.get(one), max);
    }
    for (const [one, times] of after ? ratios(results.get(after), results.get(id)) : []) {
      report.value(`client_${after}_${one}_vs_before`, times);
      report.atMost(`client ${one}: ${after}, now / before`, times, MAX_RATIO_TO_BEFORE);
    }
  }
}

/** The ratio in each case that both were measured for. */
function ratios(values, bases = new Map()) {
  return new Map([...values].filter(([name]) => bases.has(name)).map(([name, times]) => [name, ratio(times, bases.get(name))]));
}
