/**
 * Every client under measurement, the browser's own first: its name, its file in `clients/`, what it speaks, and where it takes part.
 * Ours are compared with their floor: what the same does without a library. EverSocket has a second entry for ticks alone, where they
 * are read in another way, clients of channels take part with ticks alone, and `everwire` one that reads all by a callback. Peers of
 * EverClient are `beside` it in the table of dispatched ticks, too.
 */
export const clients = [
  { name: "WebSocket", file: "raw", dialect: "plain", isFloor: true },
  { name: "EverSocket", file: "eversocket", dialect: "plain", floor: "raw" },
  { name: "EverSocket json()", file: "eversocket-json", dialect: "plain", floor: "raw", ticksOnly: true },
  { name: "EverClient", file: "everclient", dialect: "everwire", floor: "raw", ticksOnly: true },
  { name: "EverClient, handler", file: "everclient-handler", dialect: "everwire", floor: "raw", ticksOnly: true },
  { name: "everwire (Rust), stream", file: "everwire", dialect: "plain", floor: "web-sys" },
  { name: "everwire (Rust), callback", file: "everwire-callback", dialect: "plain", floor: "web-sys" },
  { name: "reconnecting-websocket", file: "reconnecting-websocket", dialect: "plain" },
  { name: "partysocket", file: "partysocket", dialect: "plain" },
  { name: "socket.io-client", file: "socket.io-client", dialect: "socket.io", beside: "raw" },
  { name: "centrifuge-js", file: "centrifuge", dialect: "centrifuge", beside: "raw", ticksOnly: true },
  { name: "web-sys, no library (Rust)", file: "web-sys", dialect: "plain", isFloor: true },
  { name: "gloo-net (Rust)", file: "gloo-net", dialect: "plain" },
  { name: "ws_stream_wasm (Rust)", file: "ws-stream-wasm", dialect: "plain" },
];

/** Ours of another checkout, of those that it has. */
export const before = (isThere) =>
  clients
    .filter(({ floor, file }) => floor && isThere(file))
    .map((entry) => ({ ...entry, name: `${entry.name}, before`, file: `before/${entry.file}`, after: entry.file }));

/** Those that are named by their files. Where others of ours take part, all that these can be compared with. */
export function choose(only, others) {
  const unknown = only?.find((file) => !clients.some((client) => client.file === file));
  if (unknown !== undefined) throw new Error(`there is no client ${unknown}; there are ${clients.map(({ file }) => file).join(", ")}`);
  const isAsked = ({ file, floor, isFloor }) => (only ? only.includes(file) : others.length === 0 || floor || isFloor);
  const chosen = clients.filter(isAsked);
  return [...chosen, ...others.filter(({ after }) => chosen.some(({ file }) => file === after))];
}

/** A name in the values that are printed for programs: `everwire_rust`. */
export const id = ({ file }) => file.replaceAll(/[^a-z0-9]+/g, "_");
