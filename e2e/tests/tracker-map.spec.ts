import { expect, test } from "../support/test.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("the tracker's map", () => {
  test("shows a visitor who shares where they are, and not an empty grid", async ({ visitor }) => {
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const far = await ann.scale.innerText();
    await ann.share();
    await expect(ann.scale, "it moves").not.toHaveText(far);
    await expect.poll(() => ann.fromTheMiddle()).toBeLessThan(3);
    await expect(ann.scale, "wide enough for coasts, borders and a country's name").toHaveText(/^(50|100) km$/);
  });

  test("shows a newcomer where everyone is, and from nearby only when they want that", async ({ visitor }) => {
    for (const longitude of [13.405, 13.408]) {
      const neighbour = await TrackerPage.visit(await visitor(deviceAt(52.52, longitude)));
      await neighbour.share();
    }
    const ann = await TrackerPage.visit(await visitor());
    await expect(ann.markers).toHaveCount(2);
    await expect(ann.scale).toHaveText(/^(50|100) km$/);
    await ann.page.getByRole("button", { name: "Show everyone" }).click();
    await expect(ann.scale).toHaveText(/^\d+ m$/);
  });

  test("follows a visitor who moves until they move the map, and again when they want that", async ({ visitor }) => {
    const page = await visitor(deviceAt(52.52, 13.405));
    const ann = await TrackerPage.visit(page);
    await expect(ann.followButton).toHaveCount(0);
    await ann.share();
    await expect(ann.followButton).toHaveAttribute("aria-pressed", "true");

    await ann.moveTo({ latitude: 53.55, longitude: 15.2 });
    await expect(ann.me).toHaveAccessibleName(/53\.5/);
    await expect.poll(() => ann.fromTheMiddle()).toBeLessThan(3);

    await ann.map.hover();
    await page.mouse.down();
    await page.mouse.move(500, 500, { steps: 5 });
    await page.mouse.up();
    await expect(ann.followButton).toHaveAttribute("aria-pressed", "false");
    await ann.moveTo({ latitude: 52.65, longitude: 13.5 });
    await expect(ann.me).toHaveAccessibleName(/52\.6/);
    expect(await ann.fromTheMiddle()).toBeGreaterThan(20);

    await ann.followButton.click();
    await expect(ann.followButton).toHaveAttribute("aria-pressed", "true");
    await expect.poll(() => ann.fromTheMiddle()).toBeLessThan(3);
    await ann.followButton.click();
    await expect(ann.followButton).toHaveAttribute("aria-pressed", "false");
  });
});
