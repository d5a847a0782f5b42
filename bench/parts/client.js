import { Browser } from "../support/browser.js";
import { clients, id } from "../support/clients.js";
import { cell, printTable } from "../support/table.js";
import { median, ratio } from "../support/statistics.js";

const GROUPS = {
  text: ["text 32 B", "text 1 KiB", "text 64 KiB"],
  binary: ["binary 32 B", "binary 1 KiB", "binary 64 KiB"],
  "JSON ticks, incoming, decoded": ["ticks 200 B", "ticks 4 kB"],
};

/** µs that EverSocket may take for a message, and times what raw takes. */
const MOST = { "text 32 B": 0.6, "text 1 KiB": 0.6, "binary 32 B": 0.6, "binary 1 KiB": 0.6 };
const MOST_RATIO = { "text 64 KiB": 2, "binary 64 KiB": 2 };

/** The short names under which EverSocket's own values are printed once more, at the end: `client_32_binary_us`. */
const SHORT = Object.fromEntries(
  [...GROUPS.text, ...GROUPS.binary].map((name) => {
    const [kind, count, unit] = name.split(" ");
    return [name, { kind, size: unit === "KiB" ? `${count}k` : count }];
  }),
);

/** The client's own cost: a fake socket in the page, which answers at once. */
export async function client({ runs, quick, site, report }) {
  const results = await measureAll(runs, quick ? 20 : 40, site);
  print(results, runs);
  const raw = results.get("raw");
  for (const entry of clients) {
    for (const [name, values] of results.get(entry.file)) {
      report.value(`client_${id(entry)}_${name}_us`, median(values));
      report.value(`client_${id(entry)}_${name}_vs_raw`, ratio(values, raw.get(name)));
    }
  }
  const own = results.get("eversocket");
  for (const [name, { kind, size }] of Object.entries(SHORT)) {
    report.value(`client_${size}_${kind}_us`, median(own.get(name)));
    report.value(`client_${size}_${kind}_vs_raw`, ratio(own.get(name), raw.get(name)));
  }
  for (const [name, most] of Object.entries(MOST)) report.atMost(`client ${name}: EverSocket, µs`, median(own.get(name)), most);
  for (const [name, most] of Object.entries(MOST_RATIO)) {
    report.atMost(`client ${name}: EverSocket / WebSocket`, ratio(own.get(name), raw.get(name)), most);
  }
}

/** For each client and case the time of each run. The clients take turns, each in a process of its own. */
async function measureAll(runs, rounds, site) {
  const results = new Map(clients.map(({ file }) => [file, new Map()]));
  const browser = await Browser.launch();
  try {
    for (let run = 0; run < runs; run++) {
      for (const { file, dialect } of clients) {
        const page = await browser.open(`${site}/client.html`);
        const times = await page.run("measure", `/clients/${file}.js`, dialect, rounds);
        await page.close();
        for (const [name, time] of Object.entries(times)) {
          results.get(file).set(name, [...(results.get(file).get(name) ?? []), time]);
        }
      }
      console.log(`client: run ${run + 1} of ${runs} done`);
    }
  } finally {
    await browser.close();
  }
  return results;
}

function print(results, runs) {
  const raw = results.get("raw");
  for (const [group, names] of Object.entries(GROUPS)) {
    const shown = clients.filter(({ file }) => results.get(file).has(names[0]));
    const rows = shown.map(({ name, file }) => [name, ...names.map((one) => cell(results.get(file).get(one), raw.get(one)))]);
    const title = `client: ${group}; µs of main thread a message, without a network: median of ${runs} runs (least–most) ratio to WebSocket`;
    printTable(title, ["", ...names], rows);
  }
}
