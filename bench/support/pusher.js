import { once } from "node:events";
import { setImmediate } from "node:timers/promises";

import { WebSocketServer } from "ws";

/** How much may wait for the client to read it, in bytes. */
const HIGH_WATER_MARK = 1 << 20;

/** A server that answers each message with so many ticks, as fast as they are read. */
export async function startPusher(texts, count) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  const frames = texts.map((text) => Buffer.from(text));
  server.on("connection", (socket) => socket.on("message", () => push(socket, frames, count)));
  await once(server, "listening");
  const close = () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  };
  return { url: `ws://127.0.0.1:${server.address().port}/`, close };
}

async function push(socket, frames, count) {
  for (let sent = 0; sent < count; sent++) {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(frames[sent % frames.length], { binary: false });
    while (socket.bufferedAmount > HIGH_WATER_MARK) await setImmediate();
  }
}
