import { DashboardPage } from "../../support/dashboard-page.ts";
import { recovery } from "../../support/line.ts";
import { tryLooks } from "../../support/looks.ts";
import { expect, test } from "../../support/www.ts";

test.describe("on phone and desktop, light and dark, everybody can use", () => {
  test("the dashboard", async ({ page }) => {
    const dashboard = await DashboardPage.visit(page, "/");
    await expect.poll(() => dashboard.updates(), recovery).toBeGreaterThan(250);
    await expect(dashboard.roundTrip).toHaveText(/^[\d.]+ m?s$/);
    await tryLooks(page, "www");
  });

  test("the dashboard while the server is gone, and the page with the browser's WebSocket", async ({ page, companion, errors, visitor }) => {
    errors.expectLostConnections();
    const plain = await DashboardPage.visit(await visitor(), "/plain.html");
    const dashboard = await DashboardPage.visit(page, "/");
    await expect.poll(() => dashboard.updates(), recovery).toBeGreaterThan(250);
    await companion.kill();
    // An attempt far enough ahead for all the pictures.
    const isWaiting = async () => {
      await expect(dashboard.trouble).toHaveText(/Attempt \d+ in ([2-9]|\d\d)\.\d s/, { timeout: 60_000 });
    };
    await tryLooks(page, "www-reconnecting", isWaiting);
    await expect(plain.state).toHaveText("Disconnected");
    await tryLooks(plain.page, "www-plain");
  });
});
