import { type Page } from "@playwright/test";
import { EchoPage } from "../support/echo-page.ts";
import { Line, recovery } from "../support/line.ts";
import { tryLooks } from "../support/looks.ts";
import { drawLongDelays } from "../support/lot.ts";
import { StartPage } from "../support/start-page.ts";
import { expect, test } from "../support/test.ts";
import { TickerPage } from "../support/ticker-page.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("on phone and desktop, light and dark, everybody can use", () => {
  test.describe("after the torture", () => {
    test.use({ supervised: true });

    test("the start page", async ({ page, errors }) => {
      errors.expectLostConnections();
      const start = await StartPage.visit(page, 20);
      await start.counter.getByRole("button", { name: /^Torture/ }).click();
      await expect(start.note).toContainText("none lost, none repeated.", recovery);
      await start.line.open();
      await tryLooks(page, "start");
    });
  });

  test("a page whose line is down", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    const ticker = await TickerPage.visit(page);
    await ticker.pricesMove();
    await companion.kill();
    await standStill(page);
    await tryLooks(page, "ticker-reconnecting");
  });

  test("a page that is offline", async ({ page, context, errors }) => {
    errors.expectLostConnections();
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await line.goOffline(context);
    await standStill(page);
    await tryLooks(page, "start-offline");
  });

  test("an echo tester that reaches nobody", async ({ page, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    const echo = await EchoPage.visit(page);
    await echo.address.fill((await echo.address.inputValue()).replace("/echo", "/ehco"));
    await echo.connectButton.click();
    await standStill(page);
    await tryLooks(page, "echo-unreachable");
  });

  test("an echo tester whose server is done", async ({ page }) => {
    const echo = await EchoPage.connected(page, "hello");
    await echo.send("Zoë");
    await expect(echo.line.state).toHaveText("Closed");
    await tryLooks(page, "echo-ended");
  });

  test("the menu that breaks the line", async ({ page }) => {
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await line.menuButton.click();
    await expect(line.menu.getByRole("button", { name: /^Cut the connection/ })).toBeEnabled();
    await tryLooks(page, "break-menu");
  });

  test("the echo tester", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.send("Hello, wire!");
    await echo.chooseFormat("Binary");
    await echo.send("48 65 6c 6c 6f");
    await echo.chooseFormat("JSON");
    await echo.repeat(30, 10);
    await expect(page.locator(".log-received")).toHaveCount(32);
    await tryLooks(page, "echo");
  });

  test("the stock ticker", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    // Lines with something to see: as many samples as make a curve.
    const samples = () => ticker.rows.first().locator("polyline").evaluate((line: SVGPolylineElement) => line.points.length);
    await expect.poll(samples, { timeout: 60_000 }).toBeGreaterThan(12);
    await expect(ticker.line.detail).toHaveText(/m?s$/);
    await tryLooks(page, "ticker");
  });

  test("the tracker", async ({ visitor }) => {
    const walker = await TrackerPage.visit(await visitor());
    await walker.simulate("New York, Union Square");
    const page = await visitor(deviceAt(52.5225, 13.4105));
    const tracker = await TrackerPage.visit(page);
    await tracker.share();
    await walker.share();
    await expect(tracker.people).toHaveCount(2);
    await expect(tracker.line.detail).toHaveText(/m?s$/);
    await tryLooks(page, "tracker", async () => {
      await page.getByRole("button", { name: "Show everyone" }).click();
      await tracker.map.scrollIntoViewIfNeeded();
      await expect(tracker.markers.first()).toBeInViewport();
      await expect(tracker.markers.last()).toBeInViewport();
    });
  });
});

/** Has the page make one more attempt, and none after that: what it shows then, it goes on showing. */
async function standStill(page: Page): Promise<void> {
  await page.evaluate(() => {
    const start = globalThis.setTimeout;
    // The page's waits are longer than those that the check of its accessibility needs.
    globalThis.setTimeout = ((run: () => void, ms = 0) => (ms > 100 ? 0 : start(run, ms))) as typeof setTimeout;
  });
  const line = new Line(page);
  await line.now.click();
  await expect(line.now).toBeVisible();
}
