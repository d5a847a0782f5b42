import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recovery } from "../support/line.ts";
import { linesOf } from "../support/lines.ts";
import { Sockets } from "../support/sockets.ts";
import { expect, test } from "../support/test.ts";
import { TickerPage } from "../support/ticker-page.ts";

test.describe("the stock ticker", () => {
  test("goes on after the server has crashed and is back", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const ticker = await TickerPage.visit(page);
    await ticker.pricesMove();

    await companion.kill();
    await ticker.line.down();
    await expect(ticker.line.detail).toHaveText(/attempt \d+ in \d+ s/, recovery);
    await expect(ticker.rows, "the last prices stay").toHaveCount(9);

    await companion.restart();
    await ticker.line.open();
    await ticker.pricesMove();
    await expect(ticker.figure("Reconnects").getByRole("definition").first()).toHaveText("1");
    // Nobody can tell how much of a feed that began anew was missed.
    await expect(ticker.figure("Missed")).toContainText("no gap, 1 new start");
  });

  test("goes on after the server was shut down and deployed anew", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const ticker = await TickerPage.visit(page);
    await companion.shutDown();
    await ticker.line.down();
    await companion.restart();
    await ticker.line.open();
    await ticker.pricesMove();
  });

  test("misses nothing while the line is cut", async ({ page, errors }) => {
    errors.expectLostConnections();
    const ticker = await TickerPage.visit(page);
    await ticker.pricesMove();

    await ticker.line.break("Cut the connection");
    await expect(ticker.figure("Reconnects").getByRole("definition").first()).toHaveText("1", recovery);
    await ticker.line.open();
    await ticker.pricesMove();
    expect(await ticker.number("Missed")).toBe(0);
    await expect(ticker.figure("Missed")).toHaveText(/no gap$/);
  });

  test("has its quotes at once, and misses none, when the visitor comes back from another page", async ({ page }) => {
    const sockets = Sockets.of(page, "/everwire");
    const ticker = await TickerPage.visit(page);
    await ticker.rate.press("End");
    await ticker.pricesMove();
    await page.getByRole("link", { name: "Echo" }).first().click();
    await expect(ticker.rate).toHaveCount(0);

    await page.goBack();
    await expect(ticker.rows).toHaveCount(9);
    await expect(ticker.rate, "the rate is that of before").toHaveAttribute("aria-valuetext", "20,000 updates a second");
    await ticker.pricesMove();
    await expect(ticker.figure("Missed")).toHaveText(/no gap$/);
    expect(linesOf(sockets.sent).findLast((line) => line.startsWith("sub ticker/20000 "))).toMatch(/ from:/);
  });
});

test.describe("the stock ticker of a server with a journal", () => {
  const folder = mkdtempSync(join(tmpdir(), "everwire-ticker-"));
  test.use({ serverFlags: ["--journal", folder] });
  test.afterAll(() => rmSync(folder, { recursive: true }));

  test("misses nothing over a crash, and its prices go on from where they were", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const ticker = await TickerPage.visit(page);
    await expect.poll(() => ticker.number("Updates a second")).toBeGreaterThan(0);
    await companion.kill();
    await ticker.line.down();
    const before = await ticker.quotes();

    await companion.restart();
    await ticker.line.open();
    await ticker.pricesMove();
    for (const { symbol, price, open, low, high } of await ticker.quotes()) {
      const was = before.find((quote) => quote.symbol === symbol);
      expect([open, low <= (was?.low ?? 0), high >= (was?.high ?? Infinity)], symbol).toEqual([was?.open, true, true]);
      expect(Math.abs(price / (was?.price ?? 0) - 1), symbol).toBeLessThan(0.2);
    }
    await expect(ticker.figure("Reconnects").getByRole("definition").first()).toHaveText("1");
    expect(await ticker.number("Missed")).toBe(0);
    await expect(ticker.figure("Missed")).toHaveText(/no gap$/);
  });
});
