import { io } from "socket.io-client";

import { Driver } from "./driver.js";

/** It speaks its own protocol, so it talks to a server of its own; without its polling, which it would start with. */
export async function open(url, ticks) {
  const socket = io(url.replace(/^ws/, "http"), { transports: ["websocket"] });
  const driver = new Driver((data) => socket.emit("m", data));
  socket.on("m", ticks ? (tick) => driver.tick(tick) : (data) => driver.message(data));
  await new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  return driver;
}
