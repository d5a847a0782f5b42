import { expect, test as base } from "@playwright/test";
import { failures, inWindow, inWorker, type Kind, modules, type Result } from "../../support/npm/conformance.ts";
import { Firefox } from "../../support/npm/firefox.ts";
import { Peer } from "../../support/npm/peer.ts";

/** Runs the body of an async function in a page of a browser. */
type Play = (script: string, args: unknown[]) => Promise<unknown>;

const test = base.extend<{ chromium: Play }, { peer: Peer; firefox: Play | undefined }>({
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

test.describe.configure({ timeout: 180_000 });

const only = process.env["CONFORMANCE"];

async function check(play: Play, script: string, kind: Kind): Promise<void> {
  const results = (await play(script, [kind, modules, only])) as Result[];
  expect(results.length).toBeGreaterThan(0);
  const isKnown = ({ differs }: Result) => kind === "standard" && differs !== null;
  expect(failures(results.filter((result) => !isKnown(result)))).toEqual([]);
  // A row of the table of differences that no test needs any more has to go.
  const rows = new Set(results.filter(isKnown).map(({ differs }) => differs));
  const needed = new Set(results.filter((result) => isKnown(result) && result.failure !== null).map(({ differs }) => differs));
  if (!only) {
    // Browsers deviate in odd cases of their own, and some in none.
    expect([...needed, "odd arguments"]).toEqual(expect.arrayContaining([...rows]));
  }
}

const places = { window: inWindow, "dedicated worker": inWorker };
const kinds: Record<Kind, string> = {
  browser: "the browser's WebSocket is what the tests say",
  strict: "EverSocket without reconnecting is indistinguishable from the browser's WebSocket",
  standard: "EverSocket is as the browser's WebSocket but for the documented differences",
};

for (const [place, script] of Object.entries(places)) {
  for (const [kind, sentence] of Object.entries(kinds) as [Kind, string][]) {
    test(`${sentence}, in a ${place} of Chromium`, ({ chromium }) => check(chromium, script, kind));

    test(`${sentence}, in a ${place} of Firefox`, async ({ firefox }) => {
      test.skip(firefox === undefined, "Firefox or geckodriver is not installed");
      await check(firefox!, script, kind);
    });
  }
}
