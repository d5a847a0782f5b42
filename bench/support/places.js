import { join } from "node:path";
import { env } from "node:process";
import { fileURLToPath } from "node:url";

/** Where `cargo xtask bench` puts what it builds, and where that is when a part is run by hand. */
const target = fileURLToPath(new URL("../../target", import.meta.url));
const built = env.BENCH_BUILT ?? join(target, "bench");

/** The packed form of EverSocket: `index.js` and what it loads. */
export const everwire = fileURLToPath(new URL("../../crates/everwire-js/dist", import.meta.url));
/** The wasm clients, built for speed. */
export const wasmClients = join(built, "measure");
/** The wasm echo clients, built for size. */
export const wasmEchoes = join(built, "size");
/** The companion server's program. */
export const companion = env.BENCH_SERVER ?? join(target, "release/everwire-companion");
/** The folder with the load generator and the small servers that it is compared with. */
export const native = env.BENCH_NATIVE ?? join(target, "release");
/** The folder of a journal that is measured; what is in it is removed. It has to be on a disk. */
export const journal = join(built, "journal");
/** Another checkout to measure as well, the wasm clients that were built of it, and its companion server. */
export const before = env.BENCH_BEFORE;
export const wasmClientsBefore = join(built, "before");
export const companionBefore = env.BENCH_SERVER_BEFORE;
