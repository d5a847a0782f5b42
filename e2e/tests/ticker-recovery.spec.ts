import { recovery } from "../support/line.ts";
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
    await expect(ticker.figure("Missed, then healed")).toContainText("no gap, 1 new start");
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

  test("counts and heals what it missed while the line was cut", async ({ page, errors }) => {
    errors.expectLostConnections();
    const ticker = await TickerPage.visit(page);
    await ticker.pricesMove();
    await expect(ticker.figure("Missed, then healed")).toContainText("no gap");

    await ticker.line.break("Cut the line");
    await expect.poll(() => ticker.number("Missed, then healed"), recovery).toBeGreaterThan(0);
    await expect(ticker.figure("Missed, then healed")).toContainText(/in (one gap|\d gaps)/);
    await ticker.line.open();
    await ticker.pricesMove();
  });
});
