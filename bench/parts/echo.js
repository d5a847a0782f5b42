import { clients as all, valueName } from "../clients.js";
import { ticks } from "../page/fake-network.js";
import { Browser, MainThread } from "../support/browser.js";
import { cell, median, printTable, quantile, ratio } from "../support/report.js";
import { startCompanion, startPusher, startSocketIo } from "../support/servers.js";

/** Clients of channels need other servers, so they are left out. */
const clients = all.filter(({ dialect }) => ["plain", "socket.io"].includes(dialect));

/** Bytes of a message, and how many are in flight. */
const SIZE = 32;
const IN_FLIGHT = 64;
/** Characters of a tick. */
const TICK = 200;
/** The work of a slice, after which the next client takes its turn. */
const SLICE = { messages: 2_000, roundTrips: 200, ticks: 10_000 };
/** The slices of a run: 100,000 ticks. */
const SLICES = { full: 10, quick: 4 };

/** The tables, each with its columns: the name of a value, and its heading. */
const TABLES = [
  ["main-thread CPU of the renderer, µs per message, pipelined", [["text_cpu", "text"], ["binary_cpu", "binary"]]],
  ["messages per second, out and back, pipelined", [["text_rate", "text"], ["binary_rate", "binary"]]],
  ["round trip with one message in flight, text, µs", [["text_p50", "p50"], ["text_p99", "p99"]]],
  ["round trip with one message in flight, binary, µs", [["binary_p50", "p50"], ["binary_p99", "p99"]]],
  ["pushed JSON ticks, decoded: main-thread CPU, µs per tick, and ticks per second", [["tick_cpu", "CPU"], ["tick_rate", "rate"]]],
  ["from import to first message, ms", [["first_cold", "empty cache"], ["first_warm", "warm cache"]]],
];

/** The cost of a client with a real browser and a real server. */
export async function echo({ runs, quick, site, report }) {
  const texts = ticks(TICK, 1000);
  const socketIo = await startSocketIo(texts, SLICE.ticks);
  const plain = { echo: await startCompanion(), pusher: await startPusher(texts, SLICE.ticks) };
  const servers = { plain, "socket.io": socketIo };
  const results = new Map(clients.map(({ id }) => [id, new Map()]));
  try {
    for (let run = 0; run < runs; run++) {
      const values = await measure(`${site}/echo`, servers, quick ? SLICES.quick : SLICES.full);
      for (const [id, name, value] of values) {
        results.get(id).set(name, [...(results.get(id).get(name) ?? []), value]);
      }
      console.log(`echo: run ${run + 1} of ${runs} done`);
    }
  } finally {
    plain.echo.close();
    plain.pusher.close();
    socketIo.close();
  }
  print(results, runs);
  reportValues(results, report);
}

/** One run: a browser with all clients, which take turns. Returns client, name and value of each result. */
async function measure(address, servers, slices) {
  const browser = await Browser.launch();
  const pages = [];
  for (const client of clients) pages.push(await ClientPage.connect(browser, address, client, servers[client.dialect]));
  // The first slice warms up.
  for (let slice = -1; slice < slices; slice++) {
    const turns = pages.map((_, index) => pages[(index + slice + 1) % pages.length]);
    for (const page of turns) await page.takeTurn(slice >= 0);
  }
  for (const page of pages) await page.close();
  const values = pages.flatMap((page) => page.results());
  for (const { id, dialect, ticksOnly } of clients) {
    if (ticksOnly) continue;
    const { cold, warm } = await measureStart(browser, address, `/clients/${id}.js`, servers[dialect].echo.url);
    values.push([id, "first_cold", cold], [id, "first_warm", warm]);
  }
  await browser.close();
  return values;
}

/** The first message in a new context, which has an empty cache, and then once more in the same context. */
async function measureStart(browser, address, path, url) {
  const first = await browser.open(address);
  const cold = await first.run("firstMessage", path, url);
  const second = await browser.open(address, first.context);
  const warm = await second.run("firstMessage", path, url);
  await first.close({ keepContext: true });
  await second.close();
  return { cold, warm };
}

/** A page with one client, which is connected to an echo and to a server that pushes ticks. */
class ClientPage {
  #id;
  #page;
  #thread;
  #echoes;
  #values = new Map();

  static async connect(browser, address, { id, ticksOnly }, { echo, pusher }) {
    const client = new ClientPage();
    client.#id = id;
    client.#echoes = !ticksOnly;
    client.#page = await browser.open(address);
    client.#thread = await MainThread.of(browser, client.#page);
    const path = `/clients/${id}.js`;
    if (client.#echoes) await client.#page.run("connect", path, echo.url, "echo");
    await client.#page.run("connect", path, pusher.url, "ticks");
    return client;
  }

  /** Runs one slice of everything, and keeps the values if it `counts`. */
  async takeTurn(counts) {
    const found = [];
    for (const [kind, isText] of this.#echoes ? [["text", true], ["binary", false]] : []) {
      const { cpu, result } = await this.#measureCpu("exchange", isText, SIZE, SLICE.messages, IN_FLIGHT, false);
      found.push([`${kind}_cpu`, (cpu * 1e6) / SLICE.messages], [`${kind}_rate`, SLICE.messages / (result / 1000)]);
      const times = await this.#page.run("exchange", isText, SIZE, SLICE.roundTrips, 1, true);
      found.push(...times.map((time) => [`${kind}_trip`, time * 1000]));
    }
    const { cpu, result } = await this.#measureCpu("receive", SLICE.ticks);
    found.push(["tick_cpu", (cpu * 1e6) / SLICE.ticks], ["tick_rate", SLICE.ticks / (result / 1000)]);
    if (!counts) return;
    for (const [name, value] of found) this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }

  /** Client, name and value of each result: the median of the slices, and two quantiles of the round trips. */
  results() {
    return [...this.#values].flatMap(([name, values]) => {
      if (!name.endsWith("_trip")) return [[this.#id, name, median(values)]];
      const kind = name.replace("_trip", "");
      return [
        [this.#id, `${kind}_p50`, quantile(values, 0.5)],
        [this.#id, `${kind}_p99`, quantile(values, 0.99)],
      ];
    });
  }

  close() {
    return this.#page.close();
  }

  async #measureCpu(...call) {
    const before = await this.#thread.seconds();
    const result = await this.#page.run(...call);
    return { cpu: (await this.#thread.seconds()) - before, result };
  }
}

function print(results, runs) {
  const raw = results.get("raw");
  for (const [title, columns] of TABLES) {
    const shown = clients.filter(({ id }) => columns.some(([name]) => results.get(id).has(name)));
    const rows = shown.map(({ name, id }) => [name, ...columns.map(([value]) => cell(results.get(id).get(value), raw.get(value)))]);
    printTable(`echo: ${title}: median of ${runs} runs (min–max) ratio to WebSocket`, ["", ...columns.map(([, heading]) => heading)], rows);
  }
  console.log("\nsocket.io-client uses its own server in Node.js, so its rates are those of that server. All others use the companion server.");
}

function reportValues(results, report) {
  const raw = results.get("raw");
  for (const client of clients) {
    for (const [name, values] of results.get(client.id)) {
      report.value(`echo_${valueName(client)}_${name}`, median(values));
      report.value(`echo_${valueName(client)}_${name}_vs_raw`, ratio(values, raw.get(name)));
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
