import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

import { minify } from "terser";

import { bundle, everwire, wasmEchoes } from "../support/build.js";
import { printTable } from "../support/report.js";

/** The largest allowed size of EverSocket, in bytes of gzip, and the goal: as small as socket.io-client. */
const BUDGET = 17_200;
const GOAL = 13_400;
/** The goal for EverClient: about as small as centrifuge, which does not queue publishes and has no requests. */
const CLIENT_GOAL = 24_000;

/** What a page imports of each package, and the wasm that it loads. */
const PACKAGES = [
  { name: "EverSocket", entry: `export { EverSocket } from "everwire-dist";`, wasm: join(everwire, "everwire.wasm") },
  { name: "EverClient", entry: `export { EverClient } from "everwire-client-dist";`, wasm: join(everwire, "client.wasm") },
  { name: "reconnecting-websocket", entry: `export { default } from "reconnecting-websocket";` },
  { name: "partysocket/ws", entry: `export { default } from "partysocket/ws";` },
  { name: "graphql-ws", entry: `export { createClient } from "graphql-ws";` },
  { name: "partysocket", entry: `export { default } from "partysocket";` },
  { name: "socket.io-client", entry: `export { io } from "socket.io-client";` },
  { name: "@microsoft/signalr", entry: `export { HubConnectionBuilder } from "@microsoft/signalr";` },
  { name: "centrifuge", entry: `export { Centrifuge } from "centrifuge";` },
  {
    name: "ably/modular",
    entry: `import { BaseRealtime, FetchRequest, WebSocketTransport } from "ably/modular";
      export const open = (options) => new BaseRealtime({ ...options, plugins: { FetchRequest, WebSocketTransport } });`,
  },
  rust("gloo-net echo (Rust)", "gloo-net"),
  rust("ws_stream_wasm echo (Rust)", "ws-stream-wasm"),
  rust("everwire echo (Rust)", "everwire"),
];

function rust(name, file) {
  const glue = join(wasmEchoes, `${file}.js`);
  return { name, entry: `export { default, echo } from ${JSON.stringify(glue)};`, wasm: join(wasmEchoes, `${file}_bg.wasm`) };
}

/** Everything that a page downloads for a client, compressed file by file as a server would. */
export async function size({ report }) {
  const measured = await Promise.all(PACKAGES.map(measure));
  const [own, ...peers] = measured;
  peers.sort((a, b) => a.gzip - b.gzip);
  const bytes = (count) => count.toLocaleString("en");
  const show = (one) => [one.name, bytes(one.minified), bytes(one.gzip), bytes(one.brotli), `${(one.gzip / own.gzip).toFixed(2)}x`];
  printTable(
    "size: bytes that a page downloads, including wasm; JavaScript bundled by esbuild, minified by esbuild and terser",
    ["", "minified", "gzip -9", "brotli 11", "gzip to EverSocket"],
    [own, ...peers].map(show),
  );
  const [script, wasm] = own.parts;
  console.log(`\nOf EverSocket's ${bytes(own.gzip)} bytes, ${bytes(wasm.gzip)} are wasm and ${bytes(script.gzip)} JavaScript.`);
  report.value("size_total_gzip", own.gzip);
  report.value("size_total_brotli", own.brotli);
  report.value("size_wasm_gzip", wasm.gzip);
  report.value("size_js_gzip", script.gzip);
  for (const peer of peers) report.value(`size_${peer.name}_gzip`, peer.gzip);
  report.atMost("size: EverSocket, bytes of gzip", own.gzip, BUDGET, { required: true });
  report.atMost("size: EverSocket, bytes of gzip, goal", own.gzip, GOAL);
  report.atMost("size: EverClient, bytes of gzip, goal", peers.find(({ name }) => name === "EverClient").gzip, CLIENT_GOAL);
}

async function measure({ name, entry, wasm }) {
  const files = [await shortest(await bundle(entry, { name: "size" })), ...(wasm ? [await readFile(wasm)] : [])];
  const parts = files.map((file) => ({
    minified: file.length,
    gzip: gzipped(file),
    brotli: brotliCompressSync(file, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length,
  }));
  const total = (key) => parts.reduce((sum, part) => sum + part[key], 0);
  return { name, parts, minified: total("minified"), gzip: total("gzip"), brotli: total("brotli") };
}

/** The smallest form: after esbuild, terser makes every package a little shorter. */
async function shortest(script) {
  const { code } = await minify(Buffer.from(script).toString(), { module: true, ecma: 2022, compress: { passes: 3 } });
  return Buffer.from(code);
}

/** Uses the program `gzip`: the zlib in Node.js is tuned for speed, and its output is one per cent larger. */
function gzipped(file) {
  return execFileSync("gzip", ["-9", "--no-name", "--stdout"], { input: file }).length;
}
