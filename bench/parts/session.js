import { existsSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

import { journal, native } from "../support/build.js";
import { cell, median, printMarkdown, ratio, short } from "../support/report.js";
import { checkNames, measureInTurns } from "../support/servers.js";

const everwire = (...args) => ({
  command: [join(native, "bench-session"), ...args],
  dialect: "everwire",
  channel: "/everwire",
  idle: "/everwire",
  publish: "/everwire",
});
const socketIo = [execPath, fileURLToPath(new URL("../reference/main.js", import.meta.url)), "socket.io", "--recovery", "--bench-load"];
const SOCKET_IO = "/socket.io/?EIO=4&transport=websocket";

/** The servers: the name for programs and in tables, the command, the protocol and the paths. */
const SERVERS = [
  { id: "plain", name: "plain connection", command: [join(native, "bench-session")], dialect: "plain", channel: "/broadcast", idle: "/echo" },
  { id: "memory", name: "everwire.v1, memory", ...everwire() },
  { id: "journal", name: "everwire.v1, journal", ...everwire("--broker", "journal", "--directory", journal) },
  {
    id: "socket_io",
    name: "socket.io with recovery",
    command: socketIo,
    dialect: "socket-io",
    channel: `${SOCKET_IO}&to=all`,
    idle: SOCKET_IO,
    publish: `${SOCKET_IO}&to=room`,
  },
];

const SUBSCRIBERS = 1000;
const BURST = 64;
const PUBLISHERS = { connections: 50, "in-flight": 1000, channels: 10 };
const STORM = { connections: 10_000, channels: 10, missed: 100 };
const MISSED = 1000;

/** The length of each measurement in seconds, the number of resumes, and the number of idle connections. */
const FULL = { seconds: 1, rounds: 10, idle: 5000 };
const QUICK = { seconds: 0.3, rounds: 4, idle: 2000 };

/**
 * The tasks of the servers, each in a process of its own: the name for `--what`, the task and flags of `bench-load`, the path, the
 * servers, and the name and value of each result.
 */
function tasks(quick, what) {
  const { seconds, rounds, idle } = quick ? QUICK : FULL;
  const all = ["plain", "memory", "journal", "socket_io"];
  const withChannels = all.slice(1);
  const bytes = (name) => ({ bytes }) => [[name, bytes]];
  const tasks = [
    {
      what: "fanout",
      task: "fanout",
      path: "channel",
      of: all,
      flags: { connections: SUBSCRIBERS, "in-flight": [1, BURST], seconds },
      read: (results) =>
        results.flatMap(({ us, rate, load_busy }, index) => {
          const kind = ["fanout1", "fanout64"][index];
          return [[`${kind}_us`, us], [`${kind}_rate`, rate], [`${kind}_load`, load_busy]];
        }),
    },
    {
      what: "publish",
      task: "publish",
      path: "publish",
      of: withChannels,
      flags: { ...PUBLISHERS, seconds: 2 * seconds },
      read: ({ rate, us, p50_ms, p99_ms }) => [["publish_rate", rate], ["publish_us", us], ["publish_p50", p50_ms], ["publish_p99", p99_ms]],
    },
    {
      what: "resume",
      task: "resume",
      path: "channel",
      of: withChannels,
      flags: { connections: 1, missed: MISSED, rounds },
      read: ({ p50_ms, max_ms }) => [["resume_p50", p50_ms], ["resume_max", max_ms]],
    },
    {
      what: "storm",
      task: "storm",
      path: "channel",
      of: ["memory", "journal"],
      flags: STORM,
      read: (result) => Object.entries(result).map(([name, value]) => [`storm_${name}`, value]),
    },
    { what: "idle", task: "idle", path: "idle", of: all, flags: { connections: idle }, read: bytes("idle") },
    {
      what: "idle",
      task: "idle",
      path: "idle",
      of: ["memory", "journal"],
      flags: { connections: idle, subscribed: true },
      read: bytes("idle_subscribed"),
    },
    {
      what: "idle",
      task: "idle",
      path: "idle",
      of: ["memory", "journal"],
      flags: { connections: idle, detached: true },
      read: bytes("idle_detached"),
    },
  ];
  const unknown = what?.find((name) => !tasks.some((task) => task.what === name));
  if (unknown !== undefined) {
    const names = [...new Set(tasks.map((task) => task.what))].join(", ");
    throw new Error(`there is no task ${unknown} for sessions; there are ${names}`);
  }
  return what ? tasks.filter((task) => what.includes(task.what)) : tasks;
}

/** The tables, each with its columns: the name of a value, its heading, and the server that the ratio refers to. */
const TABLES = [
  [
    `Fan-out to ${SUBSCRIBERS.toLocaleString("en")} subscribers`,
    [
      ["fanout1_rate", "deliveries/s, one message at a time", "plain"],
      ["fanout1_us", "µs of CPU", "plain"],
      ["fanout1_load", "load generator busy"],
      ["fanout64_rate", `deliveries/s, ${BURST} messages at a time`, "plain"],
      ["fanout64_us", "µs of CPU", "plain"],
      ["fanout64_load", "load generator busy"],
    ],
  ],
  [
    "Acknowledged publishes, 1,000 in flight on 50 connections",
    [
      ["publish_rate", "per second", "socket_io"],
      ["publish_us", "µs of CPU", "socket_io"],
      ["publish_p50", "p50, ms"],
      ["publish_p99", "p99, ms"],
    ],
  ],
  [
    `Resume with ${MISSED.toLocaleString("en")} missed messages, from connecting to the last one`,
    [
      ["resume_p50", "median, ms", "socket_io"],
      ["resume_max", "longest, ms", "socket_io"],
    ],
  ],
  [
    `${STORM.connections.toLocaleString("en")} clients resume ${STORM.channels} channels, ${STORM.missed} messages missed in each`,
    [
      ["storm_seconds", "seconds"],
      ["storm_reads", "reads of the broker"],
      ["storm_histories", "position lookups"],
      ["storm_probe_p99_ms", "other channel, p99, ms"],
      ["storm_probe_max_ms", "longest, ms"],
      ["storm_calm_max_ms", "longest without the storm, ms"],
    ],
  ],
  [
    "Memory of the server for an idle connection",
    [
      ["idle", "bytes"],
      ["idle_subscribed", "with a subscription"],
      ["idle_detached", "session without a connection"],
    ],
  ],
];

/** The cost of channels and sessions, compared with plain connections and with another server that recovers sessions. */
export async function session({ runs, quick, only, what, report }) {
  const servers = choose(only);
  const results = await measureInTurns("session", servers, tasks(quick, what), runs);
  print(servers, results, runs);
  for (const [id, values] of results) for (const [name, all] of values) report.value(`session_${id}_${name}`, median(all));
  reportTargets(results, report);
}

/** The servers of `--only`. */
function choose(only) {
  checkNames(only, SERVERS);
  const servers = SERVERS.filter(({ id }) => !only || only.includes(id));
  const missing = servers.find(({ command }) => !existsSync(command[0]));
  if (missing) throw new Error(`${missing.command[0]} is missing: run \`cargo xtask bench session\`, which builds it`);
  return servers;
}

function print(servers, results, runs) {
  const times = (own, base) => (own && base ? `${short(ratio(own, base))}x` : "–");
  for (const [title, columns] of TABLES) {
    const rows = servers.filter(({ id }) => columns.some(([name]) => results.get(id).has(name)));
    if (rows.length === 0) continue;
    const headings = columns.flatMap(([, heading, base]) => (results.has(base) ? [heading, "ratio"] : [heading]));
    const cells = (own) =>
      columns.flatMap(([name, , base]) => (results.has(base) ? [cell(own.get(name)), times(own.get(name), results.get(base).get(name))] : [cell(own.get(name))]));
    const lines = rows.map(({ id, name }) => [name, ...cells(results.get(id))]);
    printMarkdown(`session: ${title}: median of ${runs} runs (min–max)`, ["", ...headings], lines);
  }
}

/** The targets, as far as their values were measured. */
function reportTargets(results, report) {
  const values = (id, name) => results.get(id)?.get(name);
  const value = (id, name) => median(values(id, name));
  const has = (name, ...ids) => ids.every((id) => values(id, name) !== undefined);
  const required = { required: true };
  const atLeast = (key, text, reached, least) => {
    report.value(key, reached);
    report.atLeast(text, reached, least, required);
  };
  const atMost = (key, text, reached, most) => {
    report.value(key, reached);
    report.atMost(text, reached, most, required);
  };

  for (const [kind, text] of [["fanout1", "fan-out, one message at a time"], ["fanout64", `fan-out, ${BURST} messages at a time`]]) {
    if (!has(`${kind}_rate`, "plain", "memory")) continue;
    const rate = ratio(values("memory", `${kind}_rate`), values("plain", `${kind}_rate`));
    // In bursts the load generator is at its CPU limit, so the rate has no target: it is not the server's.
    if (kind === "fanout1") atLeast(`session_${kind}_rate_vs_plain`, `${text}: deliveries per second / plain ones`, rate, 0.8);
    else report.value(`session_${kind}_rate_vs_plain`, rate);
    const cpu = ratio(values("plain", `${kind}_us`), values("memory", `${kind}_us`));
    atLeast(`session_${kind}_cpu_vs_plain`, `${text}: CPU of a plain delivery / of a channel's`, cpu, 0.8);
  }
  for (const [id, least] of [["journal", 20_000], ["memory", 100_000]]) {
    if (!has("publish_rate", id)) continue;
    atLeast(`session_publish_${id}`, `acknowledged publishes per second, ${id}`, Math.round(value(id, "publish_rate")), least);
    if (id === "journal") atMost("session_publish_journal_p99", "their p99, ms", value(id, "publish_p99"), 50);
  }
  for (const id of ["memory", "journal"]) {
    if (has("resume_max", id)) atMost(`session_resume_${id}`, `resume of ${MISSED} messages, ${id}, longest, ms`, value(id, "resume_max"), 50);
    if (has("storm_reads", id)) {
      // A gap would have failed the run.
      const text = `${STORM.connections} clients resume ${STORM.channels} channels, ${id}: reads of the broker`;
      atMost(`session_storm_reads_${id}`, text, value(id, "storm_reads"), STORM.channels);
      atMost(`session_storm_delay_${id}`, "a message of another channel meanwhile, longest, ms", value(id, "storm_probe_max_ms"), 100);
    }
    const session = (name) => median(values(id, name).map((bytes, run) => bytes - values("plain", "idle")[run]));
    if (has("idle", id, "plain")) {
      atMost(`session_idle_${id}`, `a session, without its connection, ${id}, bytes`, Math.round(session("idle")), 8192);
      atMost(`session_idle_subscribed_${id}`, "the same with a subscription", Math.round(session("idle_subscribed")), 8192);
    }
    if (has("idle_detached", id)) {
      atMost(`session_idle_detached_${id}`, "a session without a connection", Math.round(value(id, "idle_detached")), 8192);
    }
  }
}
