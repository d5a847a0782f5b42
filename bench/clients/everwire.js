import init, { Client } from "bench-wasm/everwire.js";

/** A task reads the socket as a stream. */
export async function open(url, ticks) {
  await init();
  return Client.open_stream(url, ticks);
}
