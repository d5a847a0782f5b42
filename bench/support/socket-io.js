import { once } from "node:events";
import { createServer } from "node:http";
import { setImmediate } from "node:timers/promises";

import { Server } from "socket.io";

/** After how many ticks its buffers are given the chance to empty. */
const BURST = 200;

/** A server for socket.io-client, which cannot talk to any other: an echo, and a pusher of ticks as in `pusher.js`. */
export async function startSocketIo(texts, count) {
  const http = createServer();
  const server = new Server(http, { transports: ["websocket"], serveClient: false, maxHttpBufferSize: 1e8, cors: { origin: true } });
  const ticks = texts.map((text) => JSON.parse(text));
  server.on("connection", (socket) => socket.on("m", (data) => socket.emit("m", data)));
  server.of("/ticks").on("connection", (socket) => socket.on("m", () => push(socket, ticks, count)));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const url = `ws://127.0.0.1:${http.address().port}`;
  return { echo: { url: `${url}/` }, pusher: { url: `${url}/ticks` }, close: () => server.close() };
}

async function push(socket, ticks, count) {
  for (let sent = 0; sent < count; sent++) {
    socket.emit("m", ticks[sent % ticks.length]);
    if (sent % BURST === BURST - 1) await setImmediate();
  }
}
