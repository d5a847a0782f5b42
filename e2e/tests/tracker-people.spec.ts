import { expect, test } from "../support/test.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("the tracker", () => {
  test("shows two people to each other, with distance and last update, and follows who moves", async ({ visitor }) => {
    const device = await visitor(deviceAt(52.52, 13.405));
    const ann = await TrackerPage.visit(device);
    const bo = await TrackerPage.visit(await visitor(deviceAt(48.137, 11.575)));
    await ann.share();
    await bo.share();

    await expect(ann.people).toHaveText([/Me/, /Participant \w+.*504 km/]);
    await expect(bo.people).toHaveText([/Me/, /Participant \w+.*504 km/]);
    await expect(ann.people.last().locator(".person-age")).toHaveText(/now|ago/);
    await expect(ann.markers).toHaveCount(2);
    await expect(bo.markers).toHaveCount(2);

    await device.context().setGeolocation({ latitude: 48.2, longitude: 11.575, accuracy: 8 });
    await expect(bo.people.last()).toContainText("7.0 km");
    await expect(bo.map.getByRole("button", { name: /^Participant \w+, 48\.20/ })).toBeAttached();
  });

  test("moves the map to who is picked in the list, by hand and by keyboard", async ({ visitor }) => {
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const bo = await TrackerPage.visit(await visitor(deviceAt(-33.87, 151.21)));
    await ann.share();
    await bo.share();
    const other = ann.map.getByRole("button", { name: /^Participant/ });
    await expect(ann.others).toHaveCount(1);
    await expect(other).not.toBeInViewport();

    await ann.others.getByRole("button").click();
    await expect(other).toBeInViewport();
    await ann.page.getByRole("button", { name: "Show everyone" }).click();
    await expect(other).toBeInViewport();
    await expect(ann.map.getByRole("button", { name: /^Me/ })).toBeInViewport();

    // Zoomed in and moved aside by the keys of a map, it gets out of sight; the map takes none while it still moves.
    await ann.map.focus();
    await expect(async () => {
      await ann.page.keyboard.press("+");
      await ann.page.keyboard.press("ArrowUp");
      await expect(other).not.toBeInViewport({ timeout: 500 });
    }).toPass({ timeout: 20_000 });
  });

  test("simulates a walk for a desk without a position", async ({ page, visitor }) => {
    const bo = await TrackerPage.visit(await visitor());
    const ann = await TrackerPage.visit(page);
    await ann.simulate("Nairobi, City Square");
    await expect(ann.shareButton).toHaveText("Share a simulated walk");
    await ann.share();

    await expect(bo.others).toHaveCount(1);
    const marker = bo.map.getByRole("button", { name: /1\.\d+° S, 36\.\d+° E$/ });
    const before = await marker.getAttribute("aria-label");
    await expect(bo.markers).not.toHaveAccessibleName(before ?? "");
    await expect(marker).toBeAttached();
    await expect(ann.standing).toContainText("Others see a simulated position");
  });

  test("draws its map without internet, and tiles over it where there are some", async ({ page, context }) => {
    const asked: string[] = [];
    context.on("request", (request) => asked.push(new URL(request.url()).hostname));
    const tracker = await TrackerPage.visit(page);
    await expect(tracker.map.locator(".map-painted canvas").first()).toBeVisible();
    expect([...new Set(asked)]).toEqual(["127.0.0.1"]);

    const tile = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
    await page.route("https://tiles.example/**", (route) => route.fulfill({ contentType: "image/png", body: tile }));
    await page.getByText("Streets and houses").click();
    await page.getByRole("textbox", { name: "Tile address" }).fill("https://tiles.example/{z}/{x}/{y}.png");
    await page.getByRole("button", { name: "Use these images" }).click();
    await expect(tracker.map.locator("img.leaflet-tile-loaded").first()).toBeAttached();
    await page.getByRole("button", { name: "Outlines only" }).click();
    await expect(tracker.map.locator("img.leaflet-tile-loaded")).toHaveCount(0);
  });
});
