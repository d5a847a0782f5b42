import { DashboardPage } from "../../support/dashboard-page.ts";
import { recovery } from "../../support/line.ts";
import { drawLongDelays } from "../../support/lot.ts";
import { expect, test } from "../../support/www.ts";

test.describe("the dashboard", () => {
  test("shows what the ticker sends, how long a round trip takes and how old the data is", async ({ page }) => {
    const dashboard = await DashboardPage.visit(page, "/");
    await dashboard.isConnected();
    await expect(dashboard.stocks).toHaveCount(9);
    await dashboard.flows();
    await expect(dashboard.stocks.first().locator(".price")).toHaveText(/^\d+\.\d\d$/);
    await expect(dashboard.roundTrip).toHaveText(/^[\d.]+ m?s$/, recovery);
    await expect(page.locator("#age-note")).toHaveText("by the server’s clock");
    await expect.poll(() => dashboard.ageInMs()).toBeLessThan(5_000);
    await expect(dashboard.reconnects).toHaveText("0");
    await expect(dashboard.trouble).toContainText("see which of the two goes on", { useInnerText: true });
  });

  test("counts down to the next attempt while the server is gone, and goes on when it is back", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    const dashboard = await DashboardPage.visit(page, "/");
    await dashboard.flows();
    await companion.kill();

    await expect(dashboard.state).toHaveText("Reconnecting");
    const countdown = /^The connection was lost \(code 1006\)\.\s+Attempt \d+ in \d+\.\d s\.\s+Try now$/;
    await expect(dashboard.trouble).toHaveText(countdown, { useInnerText: true });
    await expect(dashboard.trouble).toContainText("Attempt 2 ", recovery);
    await expect.poll(() => dashboard.ageInMs(), "the data has grown old").toBeGreaterThan(2_000);

    await companion.restart();
    await expect(dashboard.state).toHaveText("Connected", recovery);
    await dashboard.flows();
    await expect(dashboard.reconnects).toHaveText("1");
    await expect(dashboard.trouble).toContainText("see which of the two goes on", { useInnerText: true });
    await expect(page.locator("#reconnects-note")).toHaveText(/^(0\.[1-9]|[1-9]\d*\.\d) s away in all$/);
  });

  test("tries at once when it is told to", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    const dashboard = await DashboardPage.visit(page, "/");
    await dashboard.flows();
    await companion.kill();
    // So far ahead that the attempt cannot come by itself in the meantime.
    await expect(dashboard.trouble).toHaveText(/in 1\d\.\d s/, recovery);
    await companion.restart();
    await page.getByRole("button", { name: "Try now" }).click();
    await expect(dashboard.state).toHaveText("Connected", { timeout: 5_000 });
  });

  test("notices that a link went silent", async ({ page, companion }) => {
    const address = `${companion.address.replace("http", "ws")}/ticker?fault=half-open:40`;
    const dashboard = await DashboardPage.visit(page, `/?server=${encodeURIComponent(address)}`);
    // Looked at in each frame: it is said for as long as the delay is, which may be short.
    await page.waitForFunction(() => document.querySelector(".trouble")?.textContent?.includes("The link went silent"));
    // The next link has the same fault.
    await expect(dashboard.reconnects).toHaveText(/^[1-9]$/, recovery);
  });
});

test.describe("the same page with the browser's WebSocket", () => {
  test("shows what the ticker sends, and stands still once the server was gone", async ({ page, companion, errors, visitor }) => {
    errors.expectLostConnections();
    const plain = await DashboardPage.visit(page, "/plain.html");
    const healing = await DashboardPage.visit(await visitor(), "/");
    await plain.isConnected();
    await plain.flows();
    await healing.flows();
    await expect(plain.roundTrip).toHaveText("–");
    await companion.kill();

    await expect(plain.state).toHaveText("Disconnected");
    await expect(plain.trouble).toHaveText(/The connection was lost \(code 1006\)\. Nothing brings it back: reload the page\./);
    const updates = await plain.updates();
    await companion.restart();
    await expect(healing.state).toHaveText("Connected", recovery);
    await healing.flows();

    await expect(plain.state).toHaveText("Disconnected");
    expect(await plain.updates()).toBe(updates);
    await expect.poll(() => plain.ageInMs()).toBeGreaterThan(2_000);
  });
});
