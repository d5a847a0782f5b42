import { ticks } from "../page/ticks.js";
import { Browser } from "../support/browser.js";
import { clients, id } from "../support/clients.js";
import { startCompanion } from "../support/companion.js";
import { startPusher } from "../support/pusher.js";
import { startSocketIo } from "../support/socket-io.js";
import { median, ratio } from "../support/statistics.js";
import { cell, printTable } from "../support/table.js";
import { Contender, SLICE, TICK } from "./contender.js";

/** How many slices make a run: of ticks 100,000. */
const SLICES = { full: 10, quick: 4 };

/** The tables, each with its columns: the name of a value, and its heading. */
const TABLES = [
  ["main-thread CPU of the renderer, µs a message, pipelined", [["text_cpu", "text"], ["binary_cpu", "binary"]]],
  ["messages a second, there and back, pipelined", [["text_rate", "text"], ["binary_rate", "binary"]]],
  ["round trip of one message at a time, text, µs", [["text_p50", "p50"], ["text_p99", "p99"]]],
  ["round trip of one message at a time, binary, µs", [["binary_p50", "p50"], ["binary_p99", "p99"]]],
  ["pushed JSON ticks, decoded: main-thread CPU, µs a tick, and ticks a second", [["tick_cpu", "CPU"], ["tick_rate", "rate"]]],
  ["from import to first message, ms", [["first_cold", "nothing cached"], ["first_warm", "cached"]]],
];

/** The whole: a browser, a client, and a real server. */
export async function echo({ runs, quick, site, report }) {
  const texts = ticks(TICK, 1000);
  const socketIo = await startSocketIo(texts, SLICE.ticks);
  const plain = { echo: await startCompanion(), pusher: await startPusher(texts, SLICE.ticks) };
  const servers = { plain, "socket.io": socketIo };
  const results = new Map(clients.map(({ file }) => [file, new Map()]));
  try {
    for (let run = 0; run < runs; run++) {
      const values = await measure(`${site}/echo.html`, servers, quick ? SLICES.quick : SLICES.full);
      for (const [file, name, value] of values) {
        results.get(file).set(name, [...(results.get(file).get(name) ?? []), value]);
      }
      console.log(`echo: run ${run + 1} of ${runs} done`);
    }
  } finally {
    plain.echo.close();
    plain.pusher.close();
    socketIo.close();
  }
  print(results, runs);
  tell(results, report);
}

/** One run: a browser, in which all clients are connected and take turns. Gives client, name and value of each result. */
async function measure(address, servers, slices) {
  const browser = await Browser.launch();
  const contenders = [];
  for (const entry of clients) contenders.push(await Contender.connect(browser, address, entry, servers[entry.dialect]));
  // The first slice is to warm up.
  for (let slice = -1; slice < slices; slice++) {
    const turns = contenders.map((_, index) => contenders[(index + slice + 1) % contenders.length]);
    for (const contender of turns) await contender.takeTurn(slice >= 0);
  }
  for (const contender of contenders) await contender.page.close();
  const values = contenders.flatMap((contender) => contender.results());
  for (const { file, dialect, ticksOnly } of clients) {
    if (ticksOnly) continue;
    const { cold, warm } = await measureStart(browser, address, `/clients/${file}.js`, servers[dialect].echo.url);
    values.push([file, "first_cold", cold], [file, "first_warm", warm]);
  }
  await browser.close();
  return values;
}

/** In a new context, which has nothing cached, and then in the same once more. */
async function measureStart(browser, address, path, url) {
  const first = await browser.open(address);
  const cold = await first.run("firstMessage", path, url);
  const second = await browser.open(address, first.context);
  const warm = await second.run("firstMessage", path, url);
  await first.close({ keepContext: true });
  await second.close();
  return { cold, warm };
}

function print(results, runs) {
  const raw = results.get("raw");
  for (const [title, columns] of TABLES) {
    const shown = clients.filter(({ file }) => columns.some(([name]) => results.get(file).has(name)));
    const rows = shown.map(({ name, file }) => [name, ...columns.map(([value]) => cell(results.get(file).get(value), raw.get(value)))]);
    printTable(`echo: ${title}: median of ${runs} runs (least–most) ratio to WebSocket`, ["", ...columns.map(([, heading]) => heading)], rows);
  }
  console.log("\nsocket.io-client talks to a server of its own in Node.js, all others to the companion server: its rates are those of that server.");
}

function tell(results, report) {
  const raw = results.get("raw");
  for (const entry of clients) {
    for (const [name, values] of results.get(entry.file)) {
      report.value(`echo_${id(entry)}_${name}`, median(values));
      report.value(`echo_${id(entry)}_${name}_vs_raw`, ratio(values, raw.get(name)));
    }
  }
  const own = results.get("eversocket");
  const text = ratio(own.get("text_cpu"), raw.get("text_cpu"));
  const binary = ratio(own.get("binary_cpu"), raw.get("binary_cpu"));
  const rust = ratio(results.get("everwire").get("tick_cpu"), raw.get("tick_cpu"));
  report.value("echo_text_cpu_vs_raw", text);
  report.value("echo_binary_cpu_vs_raw", binary);
  report.value("json_rust_vs_parse", rust);
  report.atMost("echo text: CPU of EverSocket / WebSocket", text, 1.15);
  report.atMost("echo binary: CPU of EverSocket / WebSocket", binary, 1.3);
  report.atMost("pushed ticks: CPU of everwire's typed JSON / JSON.parse", rust, 0.8);
}
