import init, { Client } from "bench-wasm/everwire.js";

/** Every event goes to a callback, in place of a task that reads the stream. */
export async function open(url, ticks) {
  await init();
  return Client.open_with_callback(url, ticks);
}
