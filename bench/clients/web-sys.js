import init, { Client } from "bench-wasm/web-sys.js";

export async function open(url, ticks) {
  await init();
  return Client.open(url, ticks);
}
