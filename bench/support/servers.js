/** The servers that the parts start: those under measurement, and those at the other end of the measured clients. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";

import { Server } from "socket.io";
import { WebSocketServer } from "ws";

import { companion, native } from "./build.js";

const execute = promisify(execFile);

/** The options of a companion server that is loaded from one machine. */
export const WITHOUT_LIMITS = ["--listen", "127.0.0.1:0", "--drain", "0", "--max-messages-per-second", "0"];

/** A server under measurement, which runs on one processor. The load generator runs on another one, if there is one. */
class ServerProcess {
  #child;
  #server;
  #address;

  static async start(server) {
    const [core] = await cores();
    const process = new ServerProcess();
    process.#server = server;
    process.#child = spawn("taskset", ["-c", core, ...server.command], { stdio: ["ignore", "pipe", "inherit"] });
    const started = firstLine(process.#child, server.name);
    const failed = new Promise((_, reject) => process.#child.once("error", reject));
    process.#address = (await Promise.race([started, failed])).replace(/^listening on http:\/\//, "");
    return process;
  }

  /** Runs a task of `bench-load` against it and returns the result. */
  async load(task, path, flags) {
    const [, core] = await cores();
    const all = { address: this.#address, path: this.#server[path], pid: this.#child.pid, dialect: this.#server.dialect, ...flags };
    const args = Object.entries(all).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, `${value}`]));
    const load = ["-c", core, join(native, "bench-load"), task, ...args];
    const { stdout } = await execute("taskset", load).catch(({ stderr, message }) => {
      throw new Error(`${this.#server.name}, ${task}: ${stderr || message}`);
    });
    return JSON.parse(stdout);
  }

  async stop() {
    const exited = once(this.#child, "exit");
    // A graceful shutdown would close thousands of connections first.
    this.#child.kill("SIGKILL");
    await exited;
  }
}

/**
 * Runs all tasks, in which the servers take turns, each in a process of its own. Another server begins in each run. Returns the values of
 * the runs, by server and name.
 */
export async function measureInTurns(part, servers, tasks, runs) {
  const results = new Map(servers.map(({ id }) => [id, new Map()]));
  for (let run = 0; run < runs; run++) {
    for (const task of tasks) {
      const turns = servers.map((_, index) => servers[(index + run) % servers.length]).filter(({ id }) => task.of?.includes(id) ?? true);
      for (const server of turns) {
        const values = results.get(server.id);
        for (const [name, value] of await measure(server, task)) values.set(name, [...(values.get(name) ?? []), value]);
      }
    }
    console.log(`${part}: run ${run + 1} of ${runs} done`);
  }
  return results;
}

async function measure(server, { task, path, flags, read }) {
  const process = await ServerProcess.start(server);
  try {
    return read(await process.load(task, path, flags));
  } finally {
    await process.stop();
  }
}

/** Throws if `--only` names a server that is not in the list. */
export function checkNames(only, servers) {
  const unknown = only?.find((id) => !servers.some((server) => server.id === id));
  if (unknown !== undefined) throw new Error(`there is no server ${unknown}; there are ${servers.map(({ id }) => id).join(", ")}`);
}

/** Waits for the first line that a server prints, which has its address. */
function firstLine({ stdout }, name) {
  return new Promise((resolve, reject) => {
    createInterface(stdout)
      .once("line", resolve)
      .once("close", () => reject(new Error(`${name} did not start`)));
  });
}

let allowedCores;

/** The first two processors that this process may run on: for the server, and for the load generator. */
function cores() {
  allowedCores ??= (async () => {
    const { stdout } = await execute("taskset", ["-cp", `${process.pid}`]);
    const allowed = stdout.trim().split(": ").at(-1).split(",").flatMap(expand);
    if (allowed.length < 2) console.log("server: there is one processor for server and load, so the results are less exact");
    return [allowed[0], allowed[1] ?? allowed[0]];
  })();
  return allowedCores;
}

/** `0-3` is four processors. */
function expand(range) {
  const [first, last = first] = range.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);
}

/** The companion server, which echoes on `/echo`. */
export async function startCompanion() {
  const child = spawn(companion, WITHOUT_LIMITS, { stdio: ["ignore", "pipe", "inherit"] });
  const address = (await firstLine(child, "the companion server")).replace(/^listening on http/, "ws");
  return { url: `${address}/echo`, close: () => child.kill() };
}

/** How many bytes may wait for the client to read them. */
const HIGH_WATER_MARK = 1 << 20;

/** A server that answers each message with `count` ticks, as fast as the client reads them. */
export async function startPusher(texts, count) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  const frames = texts.map((text) => Buffer.from(text));
  const push = async (socket) => {
    for (let sent = 0; sent < count; sent++) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(frames[sent % frames.length], { binary: false });
      while (socket.bufferedAmount > HIGH_WATER_MARK) await setImmediate();
    }
  };
  server.on("connection", (socket) => socket.on("message", () => push(socket)));
  await once(server, "listening");
  const close = () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  };
  return { url: `ws://127.0.0.1:${server.address().port}/`, close };
}

/** After how many ticks the socket.io server yields, so that its buffers empty. */
const BURST = 200;

/** The servers of socket.io-client, which speaks its own protocol: an echo, and a pusher of ticks. */
export async function startSocketIo(texts, count) {
  const http = createServer();
  const server = new Server(http, { transports: ["websocket"], serveClient: false, maxHttpBufferSize: 1e8, cors: { origin: true } });
  const ticks = texts.map((text) => JSON.parse(text));
  const push = async (socket) => {
    for (let sent = 0; sent < count; sent++) {
      socket.emit("m", ticks[sent % ticks.length]);
      if (sent % BURST === BURST - 1) await setImmediate();
    }
  };
  server.on("connection", (socket) => socket.on("m", (data) => socket.emit("m", data)));
  server.of("/ticks").on("connection", (socket) => socket.on("m", () => push(socket)));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const url = `ws://127.0.0.1:${http.address().port}`;
  return { echo: { url: `${url}/` }, pusher: { url: `${url}/ticks` }, close: () => server.close() };
}
