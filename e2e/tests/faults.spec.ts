import { Line, recovery } from "../support/line.ts";
import { drawLongDelays } from "../support/lot.ts";
import { channels, demos, flags } from "../support/pages.ts";
import { Phases } from "../support/phases.ts";
import { Sockets } from "../support/sockets.ts";
import { expect, test } from "../support/test.ts";

test.use({ serverFlags: flags });

/** The pages with the same connection: one of them meets every fault, and the others the one that takes the least time. */
const [start] = demos;

for (const { name, endpoint, visit, lives } of demos.filter(({ name, endpoint }) => name === start?.name || endpoint !== channels)) {
  test.describe(`the ${name} page`, () => {
    test("survives everything that its menu does to the line", async ({ page, errors }) => {
      // Five recoveries, each of which may take its time.
      test.setTimeout(6 * recovery.timeout);
      errors.expectLostConnections();
      await drawLongDelays(page);
      const sockets = Sockets.of(page, endpoint);
      await visit(page);
      const line = new Line(page);
      const phases = await Phases.watch(page);
      /** Waits until the dial after the one with a fault has led through. */
      const recovered = async (fault: string) => {
        await expect.poll(() => sockets.since(fault).slice(0, 2), recovery).toEqual([fault, null]);
        await line.open();
        await lives(page);
      };

      await test.step("cut", async () => {
        await line.break("Cut the connection");
        await recovered("drop:0");
        expect(await phases.seen()).toContain("waiting");
      });
      await test.step("refused", async () => {
        await line.break("Refuse");
        await recovered("refuse:503");
      });
      await test.step("closed with a code", async () => {
        await line.menuButton.click();
        await line.menu.getByLabel("Close code").selectOption("1011");
        await line.menu.getByRole("button", { name: /^Close/ }).click();
        await expect(line.trouble).toContainText("1011", recovery);
        await recovered("close:1011");
        await expect(line.trouble).toBeHidden();
      });
      await test.step("slowed down", async () => {
        await line.break("Slow it down");
        await expect(line.notice).toContainText("Messages come 800 ms late");
        await expect(line.detail, "the round trip has the delay").toHaveText(/^([89]\d\d ms|\d+\.\d s)$/, recovery);
        await line.notice.getByRole("button", { name: "Restore the connection" }).click();
        await recovered("delay:800");
        await expect(line.notice).toBeHidden();
      });
      await test.step("fed garbage", async () => {
        await line.break("Send garbage");
        if (endpoint === channels) {
          return recovered("garbage");
        }
        await expect(line.notice).toContainText("Garbage comes");
        await line.open();
        await lives(page);
        expect(sockets.faults.at(-1), "the garbage was borne").toBe("garbage");
        await line.notice.getByRole("button", { name: "Restore the connection" }).click();
        await recovered("garbage");
      });
    });
  });
}

for (const { name, endpoint, visit, lives } of demos.filter(({ name, endpoint }) => name !== start?.name && endpoint === channels)) {
  test(`the ${name} page survives a cut`, async ({ page, errors }) => {
    errors.expectLostConnections();
    const sockets = Sockets.of(page, endpoint);
    await visit(page);
    const line = new Line(page);
    await line.break("Cut the connection");
    await expect.poll(() => sockets.since("drop:0").slice(0, 2), recovery).toEqual(["drop:0", null]);
    await line.open();
    await lives(page);
  });
}

for (const [demo, phases] of [
  ["start", /connecting waiting connecting open$/],
  ["echo", /open (waiting )?connecting open$/],
] as const) {
  test(`a line that went silent is noticed and replaced on the ${demo} page`, async ({ page, errors }) => {
    errors.expectLostConnections();
    const { endpoint, visit, lives } = demos.find(({ name }) => name === demo)!;
    const sockets = Sockets.of(page, endpoint);
    await visit(page);
    const line = new Line(page);
    const seen = await Phases.watch(page);

    await line.break("Go silent");

    await expect.poll(() => sockets.faults, recovery).toEqual([null, "half-open:0", null]);
    await line.open();
    await lives(page);
    await expect.poll(() => seen.seen()).toMatch(phases);
  });
}

test("a server that breaks nothing on request is said to be one", async ({ page }) => {
  await page.route("**/faults", (route) => route.fulfill({ json: { faults: false, kill: false } }));
  await page.goto("/");
  const line = new Line(page);
  await line.open();
  await line.menuButton.click();
  await expect(line.menu.getByRole("status")).toContainText("does not break connections on request");
  await expect(line.menu.getByRole("button", { name: /^Cut the connection/ })).toBeDisabled();
  await expect(line.menu.getByRole("button", { name: /^Kill the server/ })).toBeDisabled();
});
