import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { conformance, failures, inWindow, inWorker, type Kind, type Result, rowsOf } from "../../support/npm/conformance.ts";
import { expect, type Play, test } from "../../support/npm/test.ts";

test.describe.configure({ timeout: 180_000 });

const only = process.env["CONFORMANCE"];

/** The rows that hold for a socket which makes one connection, where its class extends EverSocket. */
const rowsOfOne = [
  "instanceof WebSocket",
  "isTrusted",
  "the prototype of message events",
  "events dispatched again",
  "microtasks between listeners",
];

async function check(play: Play, script: string, kind: Kind): Promise<void> {
  const results = (await play(script, [kind, conformance, only])) as Result[];
  expect(results.length).toBeGreaterThan(0);
  const isKnown = ({ differs }: Result) => differs !== null && (kind === "standard" || (kind === "extended" && rowsOfOne.includes(differs)));
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
const kinds = {
  browser: "the browser's WebSocket is what the tests say",
  strict: "EverSocket without reconnecting is indistinguishable from the browser's WebSocket",
  standard: "EverSocket is as the browser's WebSocket but for the documented differences",
} satisfies Partial<Record<Kind, string>>;

test("each documented difference has tests, and each difference of a test is documented", async ({ chromium }) => {
  const documented = [...readFileSync(resolve(import.meta.dirname, "../../../docs/websocket-differences.md"), "utf8").matchAll(/^\| \*\*(.+?)\*\* \|/gm)];
  const rows = await chromium(rowsOf, [conformance]);
  expect(documented.map(([, row]) => row).toSorted()).toEqual(rows);
});

for (const [place, script] of Object.entries(places)) {
  for (const [kind, sentence] of Object.entries(kinds) as [Kind, string][]) {
    test(`${sentence}, in a ${place} of Chromium`, ({ chromium }) => check(chromium, script, kind));

    test(`${sentence}, in a ${place} of Firefox`, async ({ firefox }) => {
      test.skip(firefox === undefined, "Firefox or geckodriver is not installed");
      await check(firefox!, script, kind);
    });
  }
}

// Once: it is made of what the others show.
test("a class that extends EverSocket, without reconnecting, differs from the browser's WebSocket in five documented rows", ({ chromium }) =>
  check(chromium, inWindow, "extended"));
