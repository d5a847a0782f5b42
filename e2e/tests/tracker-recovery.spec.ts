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
    await expect(ann.standing).toContainText("The connection is down, so nobody sees you.");
    await bo.line.down();
    await expect(bo.page.getByText("The connection is down. This is where everyone was.")).toBeVisible();

    await companion.restart();
    await ann.line.open();
    await bo.line.open();
    await expect(ann.standing).toContainText("Others see you at");
    await expect(bo.others).toHaveCount(1);
    await expect(ann.people).toHaveText([/Me/]);
  });

  test("stays silent after a reconnect when the visitor has stopped meanwhile", async ({ visitor, companion, errors }) => {
    errors.expectLostConnections();
    const ann = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    await ann.share();
    await companion.kill();
    await ann.line.down();
    await ann.stopButton.click();
    const sent = ann.sockets.sent.filter((message) => message.includes('"position"'));

    await companion.restart();
    await ann.line.open();
    const bo = await TrackerPage.visit(await visitor());
    await expect(bo.line.detail).toHaveText(/m?s$/);
    await expect(bo.people).toHaveCount(0);
    expect(ann.sockets.sent.filter((message) => message.includes('"position"'))).toEqual(sent);
  });
});
