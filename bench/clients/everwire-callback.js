import init, { Client } from "bench-wasm/everwire.js";

/** Every event goes to a callback. */
export async function open(url, ticks) {
  await init();
  return Client.open_callback(url, ticks);
}
