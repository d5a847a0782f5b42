// Writes a `.br` and a `.gz` next to each file below a folder that compression makes smaller, so that a server need not
// compress it for each visitor: node compress.mjs FOLDER
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** Kinds of files that are not compressed already. */
const KINDS = new Set([".css", ".html", ".js", ".json", ".svg", ".wasm"]);
/** Smaller files fit into the first packets of an answer anyway. */
const LEAST_BYTES = 1024;

const [folder] = process.argv.slice(2);
const names = readdirSync(folder, { recursive: true });
const total = { plain: 0, br: 0, gz: 0 };

for (const path of names.filter((name) => KINDS.has(extname(name))).map((name) => join(folder, name))) {
  const plain = readFileSync(path);
  if (plain.length < LEAST_BYTES) {
    continue;
  }
  const br = brotliCompressSync(plain, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
  });
  const gz = gzipSync(plain, { level: 9 });
  total.plain += plain.length;
  for (const [kind, compressed] of Object.entries({ br, gz })) {
    total[kind] += Math.min(compressed.length, plain.length);
    if (compressed.length < plain.length) {
      writeFileSync(`${path}.${kind}`, compressed);
    }
  }
}

const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;
console.log(`Compressed: ${kilobytes(total.plain)} are ${kilobytes(total.br)} by brotli, ${kilobytes(total.gz)} by gzip.`);
