import { existsSync } from "node:fs";
import { cp, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { before } from "./clients.js";
import { everwire, wasmClients } from "./places.js";

const bench = join(dirname(fileURLToPath(import.meta.url)), "..");

/** How everything is bundled that is measured, in size and in speed. */
const OPTIONS = { bundle: true, minify: true, format: "esm", target: "es2022", platform: "browser", legalComments: "none" };

/** What the clients of this checkout are bundled with: the folder of their sources, EverSocket as it is packed, and the wasm clients. */
const HERE = { sources: bench, everwire, wasmClients };

/** Bundles a module and returns the file. Files that it names by their address are no part of it. */
export async function bundle(entry, { name, folder, external = [] }, from = HERE) {
  const outfile = folder && join(folder, `${name}.js`);
  const [socket, client] = ["index.js", "client.js"].map((file) => join(from.everwire, file));
  const alias = { "everwire-dist": socket, "everwire-client-dist": client, "bench-wasm": from.wasmClients };
  const stdin = { contents: entry, resolveDir: from.sources, sourcefile: `${name}.js` };
  const result = await build({ ...OPTIONS, stdin, outfile, alias, external, write: outfile !== undefined });
  return outfile ?? result.outputFiles[0].contents;
}

/** Bundles every client, and puts what they load next to them. */
export async function bundleClients(clients, folder) {
  await bundleAll(clients, folder, HERE);
}

/** The same with our clients of another checkout, from its own sources. Returns those that it has. */
export async function bundleBefore(checkout, wasmClients, folder) {
  const from = { sources: join(checkout, "bench"), everwire: join(checkout, "crates/everwire-js/dist"), wasmClients };
  const clients = before((file) => existsSync(join(from.sources, "clients", `${file}.js`)));
  await bundleAll(clients.map(({ after }) => ({ file: after })), join(folder, "before"), from);
  return clients;
}

async function bundleAll(clients, folder, from) {
  await mkdir(folder, { recursive: true });
  for (const { file } of clients) {
    await bundle(`export * from "./clients/${file}.js";`, { name: file, folder }, from);
  }
  await bundle(`export { EverSocket } from "everwire-dist";`, { name: "everwire.dist", folder }, from);
  for (const place of [from.everwire, from.wasmClients]) await copyWasm(place, folder);
}

async function copyWasm(from, to) {
  const files = (await readdir(from)).filter((file) => file.endsWith(".wasm"));
  await Promise.all(files.map((file) => cp(join(from, file), join(to, file))));
}
