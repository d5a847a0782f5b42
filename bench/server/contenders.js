import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

import { companion, native } from "../support/places.js";

const script = (name) => [execPath, fileURLToPath(new URL(name, import.meta.url))];

/** Everwire with nothing in the way that holds back one computer that plays many. */
const EVERWIRE = [
  companion,
  ...["--listen", "127.0.0.1:0", "--drain", "0", "--max-messages-per-second", "0"],
  ...["--max-connections", "100000", "--max-connections-per-address", "100000"],
];

const PLAIN = { dialect: "plain", broadcast: "/broadcast", echo: "/echo" };
const SOCKET_IO = "/socket.io/?EIO=4&transport=websocket";

/**
 * Every server under measurement: how it is named in a table and for programs, how it is started, what it speaks and
 * where. One with an `asked` takes part only when it is named.
 */
export const contenders = [
  { id: "raw", name: "raw writer, the limit", command: [join(native, "bench-raw")], ...PLAIN },
  { id: "everwire", name: "Everwire", command: EVERWIRE, ...PLAIN },
  { id: "axum", name: "axum, plain", command: [join(native, "bench-axum")], ...PLAIN },
  { id: "axum_nagle", name: "axum, plain, Nagle's algorithm on", command: [join(native, "bench-axum"), "--nagle"], ...PLAIN, asked: true },
  { id: "ws", name: "ws (Node.js)", command: script("ws.js"), ...PLAIN },
  {
    id: "socket_io",
    name: "socket.io (Node.js)",
    command: script("socket-io.js"),
    dialect: "socket-io",
    broadcast: `${SOCKET_IO}&to=everybody`,
    echo: SOCKET_IO,
  },
];
