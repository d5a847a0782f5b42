import { expect, test } from "../support/test.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("the tracker says in its own words when", () => {
  test("the visitor's browser may not tell the position", async ({ page }) => {
    const tracker = await TrackerPage.visit(page);
    await tracker.shareButton.click();
    await expect(tracker.standing).toContainText("The browser may not tell this page where you are");
    await expect(tracker.standing).toContainText("Nothing is shared.");
    await expect(tracker.shareButton).toBeEnabled();
    expect(tracker.reports).toEqual([]);
  });

  test("the device cannot tell its position, and shares once it can", async ({ visitor }) => {
    const page = await visitor({ permissions: ["geolocation"] });
    await page.context().setGeolocation(null);
    const tracker = await TrackerPage.visit(page);
    await tracker.shareButton.click();
    await expect(tracker.standing).toContainText("Your device cannot tell where it is");

    await page.context().setGeolocation(deviceAt(52.52, 13.405).geolocation);
    await expect(tracker.standing).toContainText("Others see you at");
  });

  test("it takes long to find the position", async ({ page }) => {
    await page.addInitScript(() => {
      navigator.geolocation.watchPosition = (_, fail) => {
        queueMicrotask(() => fail?.({ code: 3 } as GeolocationPositionError));
        return 1;
      };
    });
    const tracker = await TrackerPage.visit(page);
    await tracker.shareButton.click();
    await expect(tracker.standing).toContainText("Finding your position takes long");
    await expect(tracker.stopButton).toBeEnabled();
  });

  test("the browser has no positions at all", async ({ page }) => {
    await page.addInitScript(() => {
      delete (Navigator.prototype as { geolocation?: Geolocation }).geolocation;
    });
    const tracker = await TrackerPage.visit(page);
    await tracker.shareButton.click();
    await expect(tracker.standing).toContainText("This browser cannot tell positions");
  });
});
