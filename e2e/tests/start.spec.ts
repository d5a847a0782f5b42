import { expectAccessible } from "../support/accessibility.ts";
import { keepScreenshot, looks, wear } from "../support/screenshots.ts";
import { expect, test } from "../support/test.ts";

test.describe("the start page", () => {
  test("comes from the companion server, also from one that has crashed and is back", async ({ page, companion }) => {
    await page.goto("/");
    await expect(page).toHaveTitle(/Everwire/);

    await companion.kill();
    await expect(page.request.get("/")).rejects.toThrow(/ECONNREFUSED/);

    await companion.restart();
    await page.reload();
    await expect(page).toHaveTitle(/Everwire/);
  });

  for (const look of looks) {
    test(`can be used by everybody on a ${look.device} in ${look.colors} colours`, async ({ page }) => {
      await wear(page, look);
      await page.goto("/");
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expectAccessible(page);
      await keepScreenshot(page, "start", look);
    });
  }
});
