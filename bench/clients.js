/**
 * The clients under measurement and the cases that each is measured for. An entry has:
 * - `name`: the name in tables; `id`: the name for `--only`, and of the bundle
 * - `module`, `imports`, `open`: the library, and the adapter of `page/adapters.js` that opens it
 * - `dialect`: the protocol, and so the server
 * - `baseline`: for our clients, the id of what does the same without a library; `isBaseline` marks these
 * - `comparedWith`: for peers of EverClient, the baseline in whose table of dispatched ticks they appear as well
 * - `ticksOnly`: clients of channels, and a second way in which EverSocket reads ticks, are measured for ticks alone
 */
export const clients = [
  { name: "WebSocket", id: "raw", open: "webSocket(WebSocket)", dialect: "plain", isBaseline: true },
  { name: "EverSocket", id: "eversocket", ...everSocket("webSocket(EverSocket)") },
  { name: "EverSocket json()", id: "eversocket-json", ...everSocket("jsonView(EverSocket)"), ticksOnly: true },
  { name: "EverClient", id: "everclient", ...everClient("channelItems(EverClient)") },
  { name: "EverClient, handler", id: "everclient-handler", ...everClient("channelHandler(EverClient)") },
  { name: "everwire (Rust), stream", id: "everwire", ...rust("everwire", "open_stream"), baseline: "web-sys" },
  { name: "everwire (Rust), callback", id: "everwire-callback", ...rust("everwire", "open_callback"), baseline: "web-sys" },
  {
    name: "reconnecting-websocket",
    id: "reconnecting-websocket",
    module: "reconnecting-websocket",
    imports: "ReconnectingWebSocket",
    open: "webSocket(ReconnectingWebSocket)",
    dialect: "plain",
  },
  { name: "partysocket", id: "partysocket", module: "partysocket", imports: "{ WebSocket }", open: "webSocket(WebSocket)", dialect: "plain" },
  {
    name: "socket.io-client",
    id: "socket.io-client",
    module: "socket.io-client",
    imports: "{ io }",
    open: "socketIo(io)",
    dialect: "socket.io",
    comparedWith: "raw",
  },
  {
    name: "centrifuge-js",
    id: "centrifuge",
    module: "centrifuge",
    imports: "{ Centrifuge }",
    open: "centrifugeChannel(Centrifuge)",
    dialect: "centrifuge",
    comparedWith: "raw",
    ticksOnly: true,
  },
  { name: "web-sys, no library (Rust)", id: "web-sys", ...rust("web-sys", "open"), isBaseline: true },
  { name: "gloo-net (Rust)", id: "gloo-net", ...rust("gloo-net", "open") },
  { name: "ws_stream_wasm (Rust)", id: "ws-stream-wasm", ...rust("ws-stream-wasm", "open") },
];

function everSocket(open) {
  return { module: "everwire-dist", imports: "{ EverSocket }", open, dialect: "plain", baseline: "raw" };
}

function everClient(open) {
  return { module: "everwire-client-dist", imports: "{ EverClient }", open, dialect: "everwire", baseline: "raw", ticksOnly: true };
}

function rust(file, open) {
  return { module: `bench-wasm/${file}.js`, imports: "init, { Client }", open: `wasm(init, Client, "${open}")`, dialect: "plain" };
}

/** The module that is bundled for a client; it exports `open`. */
export function entryOf({ module, imports, open }) {
  const library = module ? `import ${imports} from "${module}";` : "";
  return `${library} import * as adapters from "./page/adapters.js"; export const open = adapters.${open};`;
}

/** Our clients of another checkout, as far as it has them. */
export function clientsBefore(isPresent) {
  const own = clients.filter(({ baseline, module }) => baseline && isPresent(module));
  return own.map((client) => ({ ...client, name: `${client.name}, before`, id: `before/${client.id}`, after: client.id }));
}

/** The clients of `--only`. With clients of another checkout, the default is what these can be compared with. */
export function choose(only, before) {
  const unknown = only?.find((id) => !clients.some((client) => client.id === id));
  if (unknown !== undefined) throw new Error(`there is no client ${unknown}; there are ${clients.map(({ id }) => id).join(", ")}`);
  const isChosen = ({ id, baseline, isBaseline }) => (only ? only.includes(id) : before.length === 0 || baseline || isBaseline);
  const chosen = clients.filter(isChosen);
  return [...chosen, ...before.filter(({ after }) => chosen.some(({ id }) => id === after))];
}

/** The name of a client in values for programs: `socket_io_client`. */
export const valueName = ({ id }) => id.replaceAll(/[^a-z0-9]+/g, "_");

/** Bytes of a message, and characters of a JSON tick. */
const SIZES = { text: { "32 B": 32, "1 KiB": 1024, "64 KiB": 65_536 }, ticks: { "200 B": 200, "4 kB": 4000 } };
SIZES.binary = SIZES.text;

const sized = (kind) => Object.entries(SIZES[kind]).map(([name, size]) => ({ name: `${kind} ${name}`, kind, size, isDispatched: false }));

/** Text and binary messages go out and back, ticks come in. The listeners are called as plain functions. */
const CALLED = ["text", "binary", "ticks"].flatMap(sized);
/** Ticks that are ready together: in one message if the protocol has room for several, otherwise in one each. */
CALLED.push({ ...CALLED.find(({ name }) => name === "ticks 200 B"), name: "ticks 200 B, 8 together", together: 8 });
/** The same with events that the platform dispatches, as for the browser's own class. Long ticks are left out: decoding dominates them. */
const DISPATCHED = CALLED.filter(({ name }) => name !== "ticks 4 kB").map((one) => ({ ...one, name: `${one.name}, dispatched`, isDispatched: true }));

/** The cases of a client: dispatched events for ours and their baselines, and dispatched ticks for the peers of EverClient. */
export function casesOf({ baseline, isBaseline, comparedWith, ticksOnly }) {
  const dispatched = DISPATCHED.filter(({ kind }) => baseline || isBaseline || (comparedWith && kind === "ticks"));
  const cases = [...CALLED, ...dispatched];
  return ticksOnly ? cases.filter(({ kind }) => kind === "ticks") : cases;
}

const names = (cases, ...kinds) => cases.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);

/** The columns of the tables that compare all clients with the browser's class. */
export const GROUPS = {
  text: names(CALLED, "text"),
  binary: names(CALLED, "binary"),
  "JSON ticks, incoming, decoded": names(CALLED, "ticks"),
};

/** The tables that compare our clients with their baseline. */
export const OWN = [
  {
    title: "EverSocket, EverClient, its peers and the browser's class, events dispatched",
    baseline: "raw",
    names: names(DISPATCHED, "text", "binary", "ticks"),
  },
  {
    title: "Rust and a listener without a library",
    baseline: "web-sys",
    names: ["text 32 B", "ticks 200 B", "binary 64 KiB"].flatMap((name) => [name, `${name}, dispatched`]),
  },
];
