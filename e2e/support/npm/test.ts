import { expect, test as base } from "@playwright/test";
import { Firefox } from "./firefox.ts";
import { Peer } from "./peer.ts";

export { expect };

/** Runs the body of an async function in a page of a browser. */
export type Play = (script: string, args: unknown[]) => Promise<unknown>;

export const test = base.extend<{ chromium: Play; firefox: Play | undefined }, { peer: Peer }>({
  peer: [
    async ({}, use) => {
      const peer = await Peer.start();
      await use(peer);
      await peer.stop();
    },
    { scope: "worker" },
  ],
  chromium: async ({ page, peer }, use) => {
    await page.goto(peer.address);
    await use((script, args) => page.evaluate(({ script, args }) => new Function("...args", `return (async () => {${script}})()`)(...args), { script, args }));
  },
  // One for each test: sockets that were left dialling by the test before would hold up the next one's.
  firefox: async ({ peer }, use) => {
    const firefox = await Firefox.start();
    await firefox?.goto(peer.address);
    await use(firefox && ((script, args) => firefox.evaluate(script, args)));
    await firefox?.stop();
  },
});
