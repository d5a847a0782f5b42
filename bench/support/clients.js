/**
 * Every client under measurement, the browser's own first: its name, its file in `clients/`, what it speaks, and where it takes
 * part. Two have a second entry for ticks alone, where they are read in another way.
 */
export const clients = [
  { name: "WebSocket", file: "raw", dialect: "plain" },
  { name: "EverSocket", file: "eversocket", dialect: "plain" },
  { name: "EverSocket json()", file: "eversocket-json", dialect: "plain", ticksOnly: true },
  { name: "everwire (Rust)", file: "everwire", dialect: "plain" },
  { name: "reconnecting-websocket", file: "reconnecting-websocket", dialect: "plain" },
  { name: "partysocket", file: "partysocket", dialect: "plain" },
  { name: "socket.io-client", file: "socket.io-client", dialect: "socket.io" },
  { name: "web-sys, no library (Rust)", file: "web-sys", dialect: "plain" },
  { name: "gloo-net (Rust)", file: "gloo-net", dialect: "plain" },
  { name: "ws_stream_wasm (Rust)", file: "ws-stream-wasm", dialect: "plain" },
];

/** A name as it stands in what is printed for programs: `everwire_rust`. */
export const id = ({ file }) => file.replaceAll(/[^a-z0-9]+/g, "_");
