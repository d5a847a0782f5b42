import { failures, inWindow, inWorker, type Kind, resilience, type Result } from "../../support/npm/conformance.ts";
import { expect, type Play, test } from "../../support/npm/test.ts";

test.describe.configure({ timeout: 180_000 });

const only = process.env["CONFORMANCE"];

async function check(play: Play, script: string, kind: Kind = "standard", modules: string[] = resilience): Promise<void> {
  const results = (await play(script, [kind, modules, only])) as Result[];
  expect(results.length).toBeGreaterThan(0);
  expect(failures(results)).toEqual([]);
}

for (const [place, script] of Object.entries({ window: inWindow, "dedicated worker": inWorker })) {
  test(`EverSocket keeps what its types promise while connections come and go, in a ${place} of Chromium`, ({ chromium }) =>
    check(chromium, script));

  test(`EverSocket keeps what its types promise while connections come and go, in a ${place} of Firefox`, async ({ firefox }) => {
    test.skip(firefox === undefined, "Firefox or geckodriver is not installed");
    await check(firefox!, script);
  });
}

test("A build for development refuses slips with a sentence that helps", ({ chromium }) =>
  check(chromium, inWindow, "development", ["resilience/development"]));
