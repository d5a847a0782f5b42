import { EverClient } from "everwire-client-dist";

import { Driver } from "./driver.js";

/** Ticks of a channel, by a loop over its items. */
export async function open(url) {
  const client = new EverClient(url);
  const driver = new Driver(() => {});
  const ticks = client.subscribe("ticks");
  await new Promise((resolve) => client.addEventListener("attached", resolve, { once: true }));
  read(ticks, driver);
  // The server's answer to the subscription.
  while (ticks.cursor === undefined) await new Promise((resolve) => setTimeout(resolve));
  return driver;
}

async function read(ticks, driver) {
  for await (const item of ticks) if (item.type === "message") driver.tick(item.value);
}
