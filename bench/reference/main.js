/**
 * A server to compare Everwire with: `node bench/reference/main.js ws --workers 2 --port 9002`. It listens on this machine, on a
 * free port unless one is named, says where in its first line of output, and ends with SIGTERM. Workers are processes of Node's own
 * `cluster` module.
 */
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";

const SERVERS = ["ws", "socket.io", "socketcluster"];
/** As many handshakes as may wait, as in Everwire's own server. */
const BACKLOG = 4096;

const { name, workers, port } = read();
if (workers === 1 || cluster.isWorker) {
  const listening = await serve().catch(fail);
  if (cluster.isPrimary) tell(listening);
} else {
  const [listening] = await Promise.all(Array.from({ length: workers }, start));
  tell(listening);
  process.once("SIGTERM", () => process.exit());
}

function read() {
  try {
    const options = { workers: { type: "string", default: "1" }, port: { type: "string", default: "0" } };
    const { positionals, values } = parseArgs({ allowPositionals: true, options });
    const [name, workers, port] = [positionals[0], Number(values.workers), Number(values.port)];
    const isPort = Number.isInteger(port) && port >= 0 && port < 65536;
    if (SERVERS.includes(name) && Number.isInteger(workers) && workers > 0 && isPort) return { name, workers, port };
  } catch (error) {
    console.error(error.message);
  }
  console.error(`usage: node bench/reference/main.js ${SERVERS.join("|")} [--workers COUNT] [--port PORT]`);
  process.exit(2);
}

async function start() {
  const worker = cluster.fork();
  const [answer] = await Promise.race(["listening", "exit"].map((event) => once(worker, event)));
  // One that ends before it listens has said why.
  if (answer?.port === undefined) process.exit(1);
  return answer.port;
}

async function serve() {
  const { attach } = await import(`./${name}.js`);
  const http = createServer();
  http.listen({ port, host: "127.0.0.1", backlog: BACKLOG });
  await once(http, "listening");
  // Only now: `ws` would make an error of its own of one that the port is taken.
  attach(http);
  return http.address().port;
}

function tell(port) {
  console.log(`listening on http://127.0.0.1:${port}`);
}

function fail({ message }) {
  console.error(`cannot serve on port ${port}: ${message}`);
  process.exit(1);
}
