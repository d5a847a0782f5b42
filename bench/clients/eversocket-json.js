import { EverSocket } from "everwire-dist";

import { Driver } from "./driver.js";

/** Ticks by the JSON view: a loop over values. */
export async function open(url) {
  const socket = new EverSocket(url);
  const driver = new Driver((data) => socket.send(data));
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  read(socket, driver);
  return driver;
}

async function read(socket, driver) {
  for await (const tick of socket.json()) driver.tick(tick);
}
