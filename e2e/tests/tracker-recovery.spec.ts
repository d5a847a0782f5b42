import { expect, test } from "../support/test.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("the tracker", () => {
  test("resumes sharing by itself when the line is back", async ({ visitor, companion, errors }) => {
    errors.expectLostConnections();
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const bo = await TrackerPage.visit(await visitor());
    await ann.share();
    await expect(bo.others).toHaveCount(1);

    await companion.kill();
    await ann.line.down();
    await expect(ann.standing).toContainText("Hidden. Sharing resumes with");
    await bo.line.down();
    await expect(bo.page.getByText("The connection is down. This is where everyone was.")).toBeVisible();

    await companion.restart();
    await ann.line.open();
    await bo.line.open();
    await expect(ann.standing).toContainText("Others see you at");
    await expect(bo.others).toHaveCount(1);
    await expect(ann.people).toHaveText([/Me/]);
  });

  test("knows a visitor as the same one over every reconnect, and shows no second", async ({ visitor, companion, errors }) => {
    errors.expectLostConnections();
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    const bo = await TrackerPage.visit(await visitor(deviceAt(48.137, 11.575)));
    await ann.share();
    await bo.share();
    await expect(ann.others).toHaveCount(1);
    await expect(bo.others).toHaveCount(1);
    const names = async () => [await bo.others.locator(".person-name").innerText(), await ann.others.locator(".person-name").innerText()];
    const before = await names();

    // The server goes on with the connection that fell silent: it notices much later than the page.
    for (const how of ["Cut the connection", "Go silent"] as const) {
      const sent = ann.reports.length;
      await ann.line.break(how);
      await ann.line.down();
      await ann.line.open();
      await expect.poll(() => ann.reports.length).toBeGreaterThan(sent);
      await expect(ann.people).toHaveCount(2);
      await expect(bo.people).toHaveCount(2);
      expect(await names()).toEqual(before);
    }

    await companion.kill();
    await ann.line.down();
    await bo.line.down();
    await companion.restart();
    await ann.line.open();
    await bo.line.open();
    await expect(ann.others).toHaveCount(1);
    await expect(bo.others).toHaveCount(1);
    expect(await names()).toEqual(before);
  });

  test("stays silent after a reconnect when the visitor has stopped meanwhile", async ({ visitor, companion, errors }) => {
    errors.expectLostConnections();
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    await ann.share();
    await companion.kill();
    await ann.line.down();
    await ann.stopButton.click();
    const sent = ann.reports.filter((message) => message.includes('"position"'));

    await companion.restart();
    await ann.line.open();
    const bo = await TrackerPage.visit(await visitor());
    await expect(bo.line.detail).toHaveText(/m?s$/);
    await expect(bo.people).toHaveCount(0);
    expect(ann.reports.filter((message) => message.includes('"position"'))).toEqual(sent);
  });
});
