/** Where built files are, how clients are bundled, and the site that serves them to the browser. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, extname, join, normalize } from "node:path";
import { env } from "node:process";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { clients, clientsBefore, entryOf } from "../clients.js";

const bench = fileURLToPath(new URL("..", import.meta.url));
const target = join(bench, "../target");
/** Where `cargo xtask bench` puts what it builds; the default is for parts that are run by hand. */
const built = env.BENCH_BUILT ?? join(target, "bench");

/** EverSocket and EverClient as the npm package has them: `index.js`, `client.js` and their wasm. */
export const everwire = join(bench, "../crates/everwire-js/dist");
/** The wasm echo clients, built for size. */
export const wasmEchoes = join(built, "size");
/** The companion server. */
export const companion = env.BENCH_SERVER ?? join(target, "release/everwire-companion");
/** The folder of the load generator and of the small servers. */
export const native = env.BENCH_NATIVE ?? join(target, "release");
/** The folder of the measured journal, whose content is removed. It has to be on a disk. */
export const journal = join(built, "journal");
/** The companion server of another checkout. */
export const companionBefore = env.BENCH_SERVER_BEFORE;

/** Our libraries: of this checkout, and of another one to compare with, whose wasm clients `cargo xtask bench` has built. */
const HERE = { everwire, wasmClients: join(built, "measure") };
const BEFORE = env.BENCH_BEFORE && { everwire: join(env.BENCH_BEFORE, "crates/everwire-js/dist"), wasmClients: join(built, "before") };

/** The options for everything that is measured, in size and in speed. */
const OPTIONS = { bundle: true, minify: true, format: "esm", target: "es2022", platform: "browser", legalComments: "none" };

/** What the names of our modules stand for. */
const aliases = ({ everwire, wasmClients }) => ({
  "everwire-dist": join(everwire, "index.js"),
  "everwire-client-dist": join(everwire, "client.js"),
  "bench-wasm": wasmClients,
});

/** Bundles a module, in memory or into a folder, and returns the content or the path. */
export async function bundle(contents, { name, folder }, from = HERE) {
  const outfile = folder && join(folder, `${name}.js`);
  const stdin = { contents, resolveDir: bench, sourcefile: `${name}.js` };
  const result = await build({ ...OPTIONS, stdin, outfile, alias: aliases(from), write: outfile !== undefined });
  return outfile ?? result.outputFiles[0].contents;
}

/**
 * Bundles EverSocket and, if `withClients`, all clients; serves them and the pages; and passes on the address and our clients of the
 * other checkout.
 */
export async function withSite(withClients, use) {
  const folder = await mkdtemp(join(tmpdir(), "everwire-bench-clients-"));
  const before = BEFORE ? clientsBefore((module) => existsSync(pathOf(module, BEFORE))) : [];
  const wanted = (all) => (withClients ? all : []);
  await bundleClients(wanted(clients), folder, HERE);
  if (BEFORE) await bundleClients(wanted(before).map((client) => ({ ...client, id: client.after })), join(folder, "before"), BEFORE);
  const site = await serve(join(bench, "page"), folder);
  try {
    await use(site.url, before);
  } finally {
    site.close();
    await rm(folder, { recursive: true });
  }
}

/** The file of one of our modules. */
function pathOf(module, from) {
  const [name, path] = Object.entries(aliases(from)).find(([name]) => module === name || module.startsWith(`${name}/`));
  return join(path, module.slice(name.length));
}

/** Bundles EverSocket and these clients, and puts the wasm that they load next to them. */
async function bundleClients(clients, folder, from) {
  await mkdir(folder, { recursive: true });
  for (const client of clients) await bundle(entryOf(client), { name: client.id, folder }, from);
  await bundle(`export { EverSocket } from "everwire-dist";`, { name: "everwire.dist", folder }, from);
  for (const place of clients.length > 0 ? [from.everwire, from.wasmClients] : [from.everwire]) {
    const files = (await readdir(place)).filter((file) => file.endsWith(".wasm"));
    await Promise.all(files.map((file) => cp(join(place, file), join(folder, file))));
  }
}

const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves the bundles below `/clients/`, the scripts of the pages, and for each script `NAME.js` the page `/NAME` that loads it. */
async function serve(scripts, bundles) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    // Only a page that is isolated gets a clock of 5 µs; others get one of 100 µs.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Cache-Control", "max-age=3600");
    if (extname(path) === "") {
      const name = basename(path);
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      return response.end(`<!doctype html><meta charset="utf-8"><title>${name}</title><script type="module" src="${name}.js"></script>`);
    }
    try {
      const body = await readFile(path.startsWith("/clients/") ? join(bundles, path.slice("/clients/".length)) : join(scripts, path));
      response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
