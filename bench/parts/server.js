import { contenders } from "../server/contenders.js";
import { Process } from "../server/process.js";
import { median, ratio } from "../support/statistics.js";
import { cell, printTable } from "../support/table.js";

/** How many subscribers there are, and how many messages are on their way at a time. */
const CROWDS = [1000, 5000];
const IN_FLIGHT = [1, 8];
/** The connections of the echo, each with so many messages on their way. */
const ECHO = { connections: 50, "in-flight": 64 };
const IDLE = { connections: 5000 };

/** The tables, each with its columns: the name of a value, and its heading. */
const TABLES = [
  ["fan-out, one message on its way, µs of CPU a delivery", CROWDS.map((crowd) => [`lockstep_${crowd}_us`, `${crowd} clients`])],
  ["fan-out, 8 messages on their way, µs of CPU a delivery", CROWDS.map((crowd) => [`fanout8_${crowd}_us`, `${crowd} clients`])],
  ["echo, 64 messages on their way on each of 50 connections", [["echo_us", "µs of CPU a message"], ["echo_rate", "messages a second"]]],
  ["memory of a connection that is idle, bytes", [["idle_bytes", "5000 connections"]]],
];

/** What a server costs: processor time and memory, beside others. */
export async function server({ runs, quick, only, report }) {
  const shown = contenders.filter(({ id, asked }) => (only ? only.includes(id) : !asked));
  const results = new Map(shown.map(({ id }) => [id, new Map()]));
  for (let run = 0; run < runs; run++) {
    for (let turn = 0; turn < shown.length; turn++) {
      const contender = shown[(turn + run) % shown.length];
      for (const [name, value] of await measure(contender, quick ? 0.3 : 0.7)) {
        results.get(contender.id).set(name, [...(results.get(contender.id).get(name) ?? []), value]);
      }
    }
    console.log(`server: run ${run + 1} of ${runs} done`);
  }
  print(shown, results, runs);
  tell(results, report);
}

/** Name and value of each result. Memory is that of a server that has done nothing else. */
async function measure(contender, seconds) {
  const found = [];
  await using(contender, async (server) => {
    const { bytes } = await server.load("idle", "echo", IDLE);
    found.push(["idle_bytes", bytes]);
  });
  await using(contender, async (server) => {
    for (const connections of CROWDS) {
      const [one, eight] = await server.load("fanout", "broadcast", { connections, "in-flight": IN_FLIGHT, seconds });
      found.push([`lockstep_${connections}_us`, one.us], [`fanout8_${connections}_us`, eight.us]);
    }
    const { us, rate } = await server.load("echo", "echo", { ...ECHO, seconds });
    found.push(["echo_us", us], ["echo_rate", rate]);
  });
  return found;
}

async function using(contender, use) {
  const server = await Process.start(contender);
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

function print(shown, results, runs) {
  const axum = results.get("axum");
  for (const [title, columns] of TABLES) {
    const rows = shown.map(({ id, name }) => [name, ...columns.map(([value]) => cell(results.get(id).get(value), axum?.get(value)))]);
    const base = axum ? " ratio to plain axum" : "";
    printTable(`server: ${title}: median of ${runs} runs (least–most)${base}`, ["", ...columns.map(([, heading]) => heading)], rows);
  }
}

function tell(results, report) {
  for (const [id, values] of results) for (const [name, all] of values) report.value(`server_${id}_${name}`, median(all));
}
