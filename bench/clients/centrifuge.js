import { Centrifuge } from "centrifuge";

import { Driver } from "./driver.js";

/** Ticks of a channel. */
export async function open(url) {
  const client = new Centrifuge(url);
  const driver = new Driver(() => {});
  const ticks = client.newSubscription("ticks");
  ticks.on("publication", ({ data }) => driver.tick(data));
  const subscribed = new Promise((resolve) => ticks.on("subscribed", resolve));
  ticks.subscribe();
  client.connect();
  await subscribed;
  return driver;
}
