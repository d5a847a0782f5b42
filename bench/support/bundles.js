import { cp, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { everwire, wasmClients } from "./places.js";

const here = dirname(fileURLToPath(import.meta.url));

/** How everything is bundled that is measured, in size and in speed. */
const OPTIONS = { bundle: true, minify: true, format: "esm", target: "es2022", platform: "browser", legalComments: "none" };

/** Bundles a module and returns the file. Files that it names by their address are no part of it. */
export async function bundle(entry, { name, folder, external = [] }) {
  const outfile = folder && join(folder, `${name}.js`);
  const alias = { "everwire-dist": join(everwire, "index.js"), "bench-wasm": wasmClients };
  const stdin = { contents: entry, resolveDir: join(here, ".."), sourcefile: `${name}.js` };
  const result = await build({ ...OPTIONS, stdin, outfile, alias, external, write: outfile !== undefined });
  return outfile ?? result.outputFiles[0].contents;
}

/** Bundles every client, and puts what they load beside them. */
export async function bundleClients(clients, folder) {
  await mkdir(folder, { recursive: true });
  for (const { file } of clients) {
    await bundle(`export * from "./clients/${file}.js";`, { name: file, folder });
  }
  await bundle(`export { EverSocket } from "everwire-dist";`, { name: "everwire.dist", folder });
  for (const from of [everwire, wasmClients]) await copyWasm(from, folder);
}

async function copyWasm(from, to) {
  const files = (await readdir(from)).filter((file) => file.endsWith(".wasm"));
  await Promise.all(files.map((file) => cp(join(from, file), join(to, file))));
}
