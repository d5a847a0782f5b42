import { join } from "node:path";
import { env } from "node:process";
import { fileURLToPath } from "node:url";

const built = env.BENCH_BUILT;
if (built === undefined) {
  throw new Error("BENCH_BUILT is not set: run `cargo xtask bench`, which builds what is measured and sets it");
}

/** The packed form of EverSocket: `index.js` and what it loads. */
export const everwire = fileURLToPath(new URL("../../crates/everwire-js/dist", import.meta.url));
/** The wasm clients, built for speed. */
export const wasmClients = join(built, "measure");
/** The wasm echo clients, built for size. */
export const wasmEchoes = join(built, "size");
/** The companion server's program. */
export const companion = env.BENCH_SERVER;
