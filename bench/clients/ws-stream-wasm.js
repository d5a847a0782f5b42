import init, { Client } from "bench-wasm/ws-stream-wasm.js";

export async function open(url, ticks) {
  await init();
  return Client.open(url, ticks);
}
