import { EverClient } from "everwire-client-dist";

import { Driver } from "./driver.js";

/** Ticks of a channel, by a handler. */
export async function open(url) {
  const client = new EverClient(url);
  const driver = new Driver(() => {});
  const ticks = client.subscribe("ticks");
  ticks.onmessage = ({ value }) => driver.tick(value);
  while (ticks.cursor === undefined) await new Promise((resolve) => setTimeout(resolve));
  return driver;
}
