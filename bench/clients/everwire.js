import init, { Client } from "bench-wasm/everwire.js";

export async function open(url, ticks) {
  await init();
  return Client.open(url, ticks);
}
