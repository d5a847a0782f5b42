import { expect, test as base } from "@playwright/test";
import { Firefox } from "./firefox.ts";
import { Peer } from "./peer.ts";

export { expect };

/** Runs the body of an async function in a page of a browser. */
export type Play = (script: string, args: unknown[]) => Promise<unknown>;

export const test = base.extend<{ chromium: Play }, { peer: Peer; firefox: Play | undefined }>({
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
  firefox: [
    async ({ peer }, use) => {
      const firefox = await Firefox.start();
      await firefox?.goto(peer.address);
      await use(firefox && ((script, args) => firefox.evaluate(script, args)));
      await firefox?.stop();
    },
    { scope: "worker" },
  ],
});
