/**
 * A server to measure Everwire beside: `node bench/reference/main.js ws --workers 2`. It listens on a free port of this machine,
 * says where in its first line of output, and ends with SIGTERM. Workers are processes of Node's own `cluster` module.
 */
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";

const SERVERS = ["ws", "socket.io", "socketcluster"];
/** As many handshakes as may wait, as in Everwire's own server. */
const BACKLOG = 4096;

const { positionals, values } = parseArgs({ allowPositionals: true, options: { workers: { type: "string", default: "1" } } });
const [name] = positionals;
const workers = Number(values.workers);
if (!SERVERS.includes(name) || !Number.isInteger(workers) || workers < 1) {
  console.error(`usage: node bench/reference/main.js ${SERVERS.join("|")} [--workers COUNT]`);
  process.exit(2);
}

if (workers === 1 || cluster.isWorker) {
  const port = await serve();
  if (cluster.isPrimary) console.log(`listening on http://127.0.0.1:${port}`);
} else {
  const listening = Array.from({ length: workers }, () => once(cluster.fork(), "listening"));
  const [[{ port }]] = await Promise.all(listening);
  console.log(`listening on http://127.0.0.1:${port}`);
  process.once("SIGTERM", () => process.exit());
}

async function serve() {
  const http = createServer();
  const { attach } = await import(`./${name}.js`);
  attach(http);
  http.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG });
  await once(http, "listening");
  return http.address().port;
}
