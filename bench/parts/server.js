import { existsSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

import { companion, companionBefore, native } from "../support/build.js";
import { cell, median, printTable, ratio, short } from "../support/report.js";
import { checkNames, measureInTurns, WITHOUT_LIMITS } from "../support/servers.js";

const program = (name, ...args) => [join(native, name), ...args];
const reference = (...args) => [execPath, fileURLToPath(new URL("../reference/main.js", import.meta.url)), ...args];
const everwire = (program) => [program, ...WITHOUT_LIMITS, "--max-connections", "100000", "--max-connections-per-address", "100000"];

const PLAIN = { dialect: "plain", broadcast: "/broadcast", echo: "/echo" };
const SOCKET_IO = "/socket.io/?EIO=4&transport=websocket";

/**
 * The servers: the name for programs and in tables, the command, the protocol and the paths. An `optional` server is left out if it
 * could not be built, one that is `onlyNamed` is measured only if `--only` names it, and a `layer` has a table of its own.
 */
const SERVERS = [
  { id: "raw", name: "raw writer, the limit", command: program("bench-raw"), ...PLAIN },
  { id: "everwire", name: "Everwire", command: everwire(companion), ...PLAIN },
  ...(companionBefore ? [{ id: "before", name: "Everwire, before", command: everwire(companionBefore), ...PLAIN }] : []),
  { id: "uws", name: "uWebSockets (C++)", command: program("bench-uws"), ...PLAIN, optional: true },
  { id: "axum", name: "axum, plain", command: program("bench-axum"), ...PLAIN },
  { id: "axum_select", name: "axum, plain, one task and select!", command: program("bench-axum", "--select"), ...PLAIN },
  { id: "axum_nagle", name: "axum, Nagle's algorithm on", command: program("bench-axum", "--nagle"), ...PLAIN, onlyNamed: true },
  { id: "ws", name: "ws (Node.js)", command: reference("ws"), ...PLAIN },
  {
    id: "socket_io",
    name: "socket.io (Node.js)",
    command: reference("socket.io", "--bench-load"),
    dialect: "socket-io",
    broadcast: `${SOCKET_IO}&to=all`,
    echo: SOCKET_IO,
  },
  ...["tungstenite", "tokio-websockets", "fastwebsockets"].map((name) => ({
    id: name.replace("-", "_"),
    name,
    command: program("bench-layers", name),
    ...PLAIN,
    layer: true,
  })),
];

/** The numbers of subscribers, and of messages in flight. */
const SUBSCRIBERS = [1000, 5000];
const IN_FLIGHT = [1, 8];
/** The connections of the echo, and the messages in flight on each. */
const ECHO = { connections: 50, "in-flight": 64 };
const IDLE = { connections: 5000 };
/** The length of each measurement, in seconds. */
const SECONDS = { full: 0.7, quick: 0.3 };

/** How much more than another checkout Everwire may use. */
const MAX_RATIO_TO_BEFORE = 1.05;

/**
 * The tasks of each server, each in a process of its own: the task and flags of `bench-load`, the path, and the name and value of each
 * result. All of them, or those of `--what`.
 */
function tasks(quick, what) {
  const seconds = quick ? SECONDS.quick : SECONDS.full;
  const fanout = (connections) => ({
    task: "fanout",
    path: "broadcast",
    flags: { connections, "in-flight": IN_FLIGHT, seconds },
    read: ([one, eight]) => [[`lockstep_${connections}_us`, one.us], [`fanout8_${connections}_us`, eight.us]],
  });
  const all = [
    { task: "idle", path: "echo", flags: IDLE, read: ({ bytes }) => [["idle_bytes", bytes]] },
    ...SUBSCRIBERS.map(fanout),
    { task: "echo", path: "echo", flags: { ...ECHO, seconds }, read: ({ us, rate }) => [["echo_us", us], ["echo_rate", rate]] },
  ];
  const unknown = what?.find((name) => !all.some(({ task }) => task === name));
  if (unknown !== undefined) throw new Error(`there is no task ${unknown} for servers; there are fanout, echo and idle`);
  return what ? all.filter(({ task }) => what.includes(task)) : all;
}

const clients = (count) => `${count.toLocaleString("en")} clients`;
const lockstep = SUBSCRIBERS.map((count) => `lockstep_${count}_us`);
const fanout8 = SUBSCRIBERS.map((count) => `fanout8_${count}_us`);

/** The columns of the table of WebSocket layers: the name of a value, and its heading. */
const LAYER_COLUMNS = [
  ...SUBSCRIBERS.map((count) => [`lockstep_${count}_us`, `lock-step, ${clients(count)}`]),
  ...SUBSCRIBERS.map((count) => [`fanout8_${count}_us`, `8 in flight, ${clients(count)}`]),
  ["echo_us", "pipelined echo"],
  ["idle_bytes", "idle"],
];

/** The tables of servers, each with its columns. */
const TABLES = [
  ["fan-out of 64 bytes, lock-step, µs of CPU per delivery", SUBSCRIBERS.map((count) => [`lockstep_${count}_us`, clients(count)])],
  ["fan-out of 64 bytes, 8 messages in flight, µs of CPU per delivery", SUBSCRIBERS.map((count) => [`fanout8_${count}_us`, clients(count)])],
  ["echo of 64 bytes, 64 messages in flight on each of 50 connections", [["echo_us", "µs of CPU per message"], ["echo_rate", "messages per second"]]],
  ["memory of an idle connection, of 5,000", [["idle_bytes", "bytes"]]],
];

/** The CPU time and memory of servers. */
export async function server({ runs, quick, only, what, report }) {
  const servers = choose(only);
  const results = await measureInTurns("server", servers, tasks(quick, what), runs);
  print(servers, results, runs);
  for (const [id, values] of results) for (const [name, all] of values) report.value(`server_${id}_${name}`, median(all));
  reportTargets(results, report);
}

/** The servers of `--only`, without those that could not be built. */
function choose(only) {
  checkNames(only, SERVERS);
  const servers = SERVERS.filter(({ id, name, command, onlyNamed, optional }) => {
    if (only ? !only.includes(id) : onlyNamed) return false;
    if (existsSync(command[0])) return true;
    if (!optional) throw new Error(`${command[0]} is missing: run \`cargo xtask bench server\`, which builds it`);
    console.log(`server: ${name} is left out: ${command[0]} is missing, see above why it was not built`);
    return false;
  });
  if (servers.length === 0) throw new Error(`there is nothing to measure: none of ${only.join(", ")} was built`);
  return servers;
}

function print(all, results, runs) {
  const bases = ["axum", "raw", "before"].filter((id) => results.has(id));
  const servers = all.filter(({ layer }) => !layer);
  const times = (own, base, name) => `${short(ratio(own.get(name), base.get(name)))}x`;
  for (const [title, columns] of TABLES.filter(([, [[name]]]) => results.get(all[0].id).has(name))) {
    const headings = columns.flatMap(([, heading]) => [heading, ...bases.map((base) => `/ ${base}`)]);
    const cells = (own) => columns.flatMap(([name]) => [cell(own.get(name)), ...bases.map((base) => times(own, results.get(base), name))]);
    const rows = servers.map(({ id, name }) => [name, ...cells(results.get(id))]);
    printTable(`server: ${title}: median of ${runs} runs (min–max), and ratios`, ["", ...headings], rows);
  }
  const layers = all.filter(({ layer }) => layer);
  if (layers.length === 0) return;
  const columns = LAYER_COLUMNS.filter(([name]) => results.get(layers[0].id).has(name));
  // The raw writer and Everwire are shown as the bounds of the layers.
  const bounds = servers.filter(({ id }) => ["raw", "everwire", "before"].includes(id));
  const rows = [...bounds, ...layers].map(({ id, name }) => [name, ...columns.map(([column]) => cell(results.get(id).get(column)))]);
  const title = `WebSocket layers below the same small server; µs of CPU, and bytes: median of ${runs} runs (min–max)`;
  printTable(title, ["", ...columns.map(([, heading]) => heading)], rows);
}

/** The targets of Everwire, as far as their values were measured, and the values by which programs find them. */
function reportTargets(results, report) {
  const own = results.get("everwire");
  const has = (id, name) => own?.has(name) && results.get(id)?.has(name);
  const required = { required: true };

  // The worst of the values counts.
  const advantage = (id, names) => Math.min(...names.map((name) => ratio(results.get(id).get(name), own.get(name))));
  const cost = (id, names) => Math.max(...names.map((name) => ratio(own.get(name), results.get(id).get(name))));

  const fanout8Targets = [
    ["raw", "raw writer's CPU / Everwire's", 0.85],
    ["axum", "plain axum's CPU / Everwire's", 8],
    ["axum_select", "the same, of axum with one task and select!", 8],
  ];
  for (const [id, what, least] of fanout8Targets.filter(([id]) => has(id, fanout8[0]))) {
    const reached = advantage(id, fanout8);
    report.value(`fanout8_vs_${id}`, reached);
    report.atLeast(`fan-out, 8 in flight: ${what}`, reached, least, required);
  }
  if (has("axum", lockstep[0])) {
    const reached = cost("axum", lockstep);
    report.value("lockstep_vs_axum", reached);
    if (!has("uws", lockstep[0])) report.atMost("fan-out, lock-step: Everwire's CPU / plain axum's", reached, 0.85, required);
  }
  if (has("uws", lockstep[0])) {
    const reached = cost("uws", lockstep);
    report.value("lockstep_vs_uws", reached);
    report.atMost("fan-out, lock-step: Everwire's CPU / uWebSockets'", reached, 1.1, required);
  }
  if (has("axum", "echo_us")) {
    const reached = advantage("axum", ["echo_us"]);
    report.value("pipelined_echo_vs_axum", reached);
    report.atLeast("pipelined echo: plain axum's CPU / Everwire's", reached, 5, required);
  }
  for (const name of results.get("before")?.keys() ?? []) {
    if (name === "echo_rate" || !own?.has(name)) continue;
    const reached = cost("before", [name]);
    report.value(`server_${name}_vs_before`, reached);
    report.atMost(`server ${name}: Everwire, now / before`, reached, MAX_RATIO_TO_BEFORE);
  }
  if (own?.has("idle_bytes")) {
    const reached = Math.round(median(own.get("idle_bytes")));
    report.value("idle_bytes", reached);
    report.atMost("idle connection of Everwire, bytes", reached, 8000, required);
  }
}
