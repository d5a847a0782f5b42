import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

import { companion, companionBefore, native } from "../support/places.js";

const program = (name, ...args) => [join(native, name), ...args];
const script = (name) => [execPath, fileURLToPath(new URL(name, import.meta.url))];

/** Everwire with nothing in the way that holds back one computer that plays many. */
const everwire = (program) => [
  program,
  ...["--listen", "127.0.0.1:0", "--drain", "0", "--max-messages-per-second", "0"],
  ...["--max-connections", "100000", "--max-connections-per-address", "100000"],
];

const PLAIN = { dialect: "plain", broadcast: "/broadcast", echo: "/echo" };
const SOCKET_IO = "/socket.io/?EIO=4&transport=websocket";

/**
 * Every server under measurement: how it is named for programs and in a table, how it is started, what it speaks and
 * where. One that is `optional` is left out where it could not be built, one that is `onlyNamed` takes part only when it is
 * named, and a `layer` is shown in a table of its own.
 */
export const contenders = [
  { id: "raw", name: "raw writer, the limit", command: program("bench-raw"), ...PLAIN },
  { id: "everwire", name: "Everwire", command: everwire(companion), ...PLAIN },
  ...(companionBefore ? [{ id: "before", name: "Everwire, before", command: everwire(companionBefore), ...PLAIN }] : []),
  { id: "uws", name: "uWebSockets (C++)", command: program("bench-uws"), ...PLAIN, optional: true },
  { id: "axum", name: "axum, plain", command: program("bench-axum"), ...PLAIN },
  { id: "axum_select", name: "axum, plain, one task and select!", command: program("bench-axum", "--select"), ...PLAIN },
  { id: "axum_nagle", name: "axum, Nagle's algorithm on", command: program("bench-axum", "--nagle"), ...PLAIN, onlyNamed: true },
  { id: "ws", name: "ws (Node.js)", command: script("ws.js"), ...PLAIN },
  {
    id: "socket_io",
    name: "socket.io (Node.js)",
    command: script("socket-io.js"),
    dialect: "socket-io",
    broadcast: `${SOCKET_IO}&to=everybody`,
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
