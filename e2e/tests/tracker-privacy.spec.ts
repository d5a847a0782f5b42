import { expect, test } from "../support/test.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

const nobody = "Nobody shares a position at the moment.";

test.describe("the tracker", () => {
  test("sends nothing before the visitor presses share", async ({ visitor }) => {
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const bo = await TrackerPage.visit(await visitor());
    await expect(ann.page.getByText(/^Nothing about you is sent before you press the button/)).toBeVisible();
    await expect(ann.page.getByText("which passes them on to everyone who has this page open")).toBeVisible();
    await ann.choosePrecision("1 km");
    await ann.choosePrecision("Exact");

    // A round trip has been measured: had anything been sent before, it would have arrived.
    await expect(ann.line.detail).toHaveText(/m?s$/);
    await expect(bo.page.getByText(nobody)).toBeVisible();
    expect(ann.reports).toEqual([]);

    await ann.share();
    await expect(bo.others).toHaveCount(1);
    expect(ann.reports[0]).toMatch(/^{"type":"position","lat":52\.52,"lon":13\.405,"accuracy":8\.0,"secret":"[0-9a-f]{32}"}$/);
  });

  test("takes who stops off everybody's map, and asks the device no more", async ({ visitor }) => {
    const device = await visitor(deviceAt(52.52, 13.405));
    const ann = await TrackerPage.visit(device);
    const bo = await TrackerPage.visit(await visitor());
    await ann.share();
    await expect(bo.markers).toHaveCount(1);

    await ann.stopButton.click();
    await expect(bo.markers).toHaveCount(0);
    await expect(bo.page.getByText(nobody)).toBeVisible();
    await expect(ann.markers).toHaveCount(0);
    expect(ann.reports.at(-1)).toMatch(/^{"type":"leave","secret":"[0-9a-f]{32}"}$/);

    const sent = ann.reports.length;
    await device.context().setGeolocation({ latitude: 48.137, longitude: 11.575, accuracy: 8 });
    // Somebody else's position is seen, so that nothing of Ann's can still be under way.
    const cy = await TrackerPage.visit(await visitor(deviceAt(47.37, 8.54)));
    await cy.share();
    await expect(ann.others).toHaveCount(1);
    await expect(bo.others).toHaveCount(1);
    expect(ann.reports).toHaveLength(sent);
  });

  test("takes who closes the page off everybody's map", async ({ visitor }) => {
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const bo = await TrackerPage.visit(await visitor());
    await ann.share();
    await expect(bo.others).toHaveCount(1);

    await ann.page.close();

    await expect(bo.others).toHaveCount(0);
    await expect(bo.page.getByText(nobody)).toBeVisible();
  });

  test("takes who goes to another page off everybody's map", async ({ visitor }) => {
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const bo = await TrackerPage.visit(await visitor());
    await ann.share();
    await expect(bo.others).toHaveCount(1);

    // The application's connection stays, and it has to be said.
    await ann.page.getByRole("link", { name: "Echo" }).first().click();
    await expect(bo.others).toHaveCount(0);
  });

  test("tells others a coarser position when the visitor wants that", async ({ visitor }) => {
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.5219, 13.4132)));
    const bo = await TrackerPage.visit(await visitor());
    await ann.choosePrecision("Exact");
    await ann.share();
    await expect(bo.others).toContainText("within 8 m");
    await expect(bo.markers).toHaveAccessibleName(/, 52\.52190° N, 13\.41320° E$/);

    await ann.choosePrecision("10 km");
    await expect(ann.standing).toContainText("within 10 km");
    await expect(bo.others).toContainText("within 10 km");
    await expect(bo.markers).not.toHaveAccessibleName(/52\.52190° N/);
    const told = JSON.parse(ann.reports.at(-1) ?? "");
    expect(Math.abs(told.lat - 52.5219) * 111, "kilometres moved").toBeLessThan(8);

    // Where the device is within the cell changes nothing that leaves the page.
    const sent = ann.reports.length;
    await ann.moveTo({ latitude: told.lat + 0.001, longitude: told.lon });
    expect(ann.reports).toHaveLength(sent);
    await ann.choosePrecision("1 km");
    await expect(ann.standing).toContainText("within 1.0 km");
    await expect(bo.others).toContainText("within 1.0 km");
    expect(ann.reports).toHaveLength(sent + 1);
  });
});
