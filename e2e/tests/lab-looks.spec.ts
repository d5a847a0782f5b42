import { LabPage, transports } from "../support/lab-page.ts";
import { tryLooks } from "../support/looks.ts";
import { expect, test } from "../support/test.ts";

test("on phone and desktop, light and dark, everyone can use the transport lab", async ({ page }) => {
  const lab = await LabPage.visit(page);
  await lab.choose("Messages per second", "20");
  await lab.only("stream", "socket");
  await lab.run();
  await expect(lab.progress).toContainText("complete", { timeout: 60_000 });
  await lab.only(...transports);
  await lab.start();
  await lab.receives("socket", 100);
  await tryLooks(page, "lab");
});
