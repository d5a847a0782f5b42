import { EchoPage } from "../support/echo-page.ts";
import { Line } from "../support/line.ts";
import { tryLooks } from "../support/looks.ts";
import { expect, test } from "../support/test.ts";
import { TickerPage } from "../support/ticker-page.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("on phone and desktop, light and dark, everybody can use", () => {
  test("the start page", async ({ page }) => {
    await page.goto("/");
    await expect(new Line(page).detail).toHaveText(/\d m?s$/);
    await tryLooks(page, "start");
  });

  test("the menu that breaks the line", async ({ page }) => {
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await line.menuButton.click();
    await expect(line.menu.getByRole("button", { name: /^Cut the line/ })).toBeEnabled();
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
