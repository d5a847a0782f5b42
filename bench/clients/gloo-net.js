import init, { Client } from "bench-wasm/gloo-net.js";

export async function open(url, ticks) {
  await init();
  return Client.open(url, ticks);
}
