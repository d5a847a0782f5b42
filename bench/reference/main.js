/**
 * Servers for Node.js to compare Everwire with, as they are commonly written: `node bench/reference/main.js ws --workers 2 --port 9002`.
 * A server listens on this machine, on a free port unless one is named, prints its address as the first line of output, and ends with
 * SIGTERM. Workers are processes of the `cluster` module.
 */
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";

/** Each server imports its library, so that a process loads only one, and returns how to attach it to an HTTP server. */
const SERVERS = {
  /** `/broadcast` sends every message to all clients, the other paths are an echo. */
  async ws() {
    const { WebSocketServer } = await import("ws");
    return (http) => {
      const server = new WebSocketServer({ server: http });
      const members = new Set();
      server.on("connection", (socket, { url }) => {
        if (url !== "/broadcast") {
          socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
          return;
        }
        members.add(socket);
        socket.on("close", () => members.delete(socket));
        socket.on("message", (data, isBinary) => members.forEach((member) => member.send(data, { binary: isBinary })));
      });
    };
  },

  /** The event `echo` comes back, and `publish` goes to the clients that have sent `subscribe`. */
  async "socket.io"({ recovery, benchLoad }) {
    const { Server } = await import("socket.io");
    const options = { transports: ["websocket"], serveClient: false, ...(recovery && { connectionStateRecovery: {} }) };
    if (benchLoad) return (http) => serveBenchLoad(new Server(http, { ...options, pingInterval: 600_000 }));
    return (http) => {
      const server = new Server(http, options);
      server.on("connection", (socket) => {
        socket.on("echo", (data) => socket.emit("echo", data));
        socket.on("subscribe", () => socket.join("load"));
        socket.on("publish", (data) => server.to("load").emit("publish", data));
      });
    };
  },

  /** The procedure `echo` returns its argument; SocketCluster has channels built in. */
  async socketcluster() {
    const { attach } = await import("socketcluster-server");
    const echo = async (socket) => {
      for await (const request of socket.procedure("echo")) request.end(request.data);
    };
    return async (http) => {
      const server = attach(http, { path: "/socketcluster/" });
      for await (const { socket } of server.listener("connection")) echo(socket);
    };
  },
};

/**
 * The events of `bench-load`, which speaks the protocol itself and answers no heartbeat: `m` is acknowledged, and goes to all clients with
 * `?to=all` in the address, to an empty room with `?to=room`, otherwise back. One listener per socket, as a server commonly has, keeps
 * the measured memory honest.
 */
function serveBenchLoad(server) {
  server.on("connection", (socket) => {
    const { to } = socket.handshake.query;
    socket.on("m", (message, acknowledge) => {
      const receivers = to === "all" ? server : to === "room" ? server.to(to) : socket;
      receivers.emit("m", message);
      acknowledge?.();
    });
  });
}

/** The number of handshakes that may wait, as in Everwire's own server. */
const BACKLOG = 4096;

const { name, workers, port, ...options } = parse();
if (workers === 1 || cluster.isWorker) {
  const listening = await serve().catch(fail);
  if (cluster.isPrimary) printAddress(listening);
} else {
  const [listening] = await Promise.all(Array.from({ length: workers }, startWorker));
  printAddress(listening);
  process.once("SIGTERM", () => process.exit());
}

function parse() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        workers: { type: "string", default: "1" },
        port: { type: "string", default: "0" },
        // Of socket.io: keeps missed messages in memory.
        recovery: { type: "boolean", default: false },
        // Of socket.io: speaks with `bench-load` instead of `everwire-load`.
        "bench-load": { type: "boolean", default: false },
      },
    });
    const [name, workers, port] = [positionals[0], Number(values.workers), Number(values.port)];
    const isPort = Number.isInteger(port) && port >= 0 && port < 65536;
    if (Object.hasOwn(SERVERS, `${name}`) && Number.isInteger(workers) && workers > 0 && isPort) {
      return { name, workers, port, recovery: values.recovery, benchLoad: values["bench-load"] };
    }
  } catch (error) {
    console.error(error.message);
  }
  const names = Object.keys(SERVERS).join("|");
  console.error(`usage: node bench/reference/main.js ${names} [--workers COUNT] [--port PORT] [--recovery] [--bench-load]`);
  process.exit(2);
}

async function startWorker() {
  const worker = cluster.fork();
  const [answer] = await Promise.race(["listening", "exit"].map((event) => once(worker, event)));
  // A worker that exits before it listens has printed the reason.
  if (answer?.port === undefined) process.exit(1);
  return answer.port;
}

async function serve() {
  const attach = await SERVERS[name](options);
  const http = createServer();
  http.listen({ port, host: "127.0.0.1", backlog: BACKLOG });
  await once(http, "listening");
  // Attached only now: `ws` would turn an error such as a port in use into an unhandled one of its own.
  attach(http);
  return http.address().port;
}

function printAddress(port) {
  console.log(`listening on http://127.0.0.1:${port}`);
}

function fail({ message }) {
  console.error(`cannot serve on port ${port}: ${message}`);
  process.exit(1);
}
