import { FilesPage, type Transfer, fileOf, makeFile } from "../support/files-page.ts";
import { expect, test } from "../support/test.ts";

test.describe("a file store that is small", () => {
  test.use({ serverFlags: ["--max-store-bytes", "2000", "--max-file-bytes", "1500", "--max-files", "3"] });

  test("refuses what is too large without sending it", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await files.pick(fileOf("large.bin", 1501));
    await expect(files.transfer("large.bin").notice).toContainText("too large: the server takes up to 1.5 kB");
    await expect(files.announcement).toContainText("large.bin was not sent");
    await expectNoOtherTry(files.transfer("large.bin"));
  });

  test("says what is oldest when it is full, and takes the file once there is room", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await files.pick(fileOf("first.bin", 1200), fileOf("second.bin", 1000));
    const second = files.transfer("second.bin");
    await expect(second.notice).toContainText("The store is full: 1.2 kB of 2.0 kB are taken, and this file needs 1.0 kB");
    await expect(second.notice).toContainText("“first.bin” is the oldest and goes in 60 min");

    await page.getByRole("button", { name: "Delete first.bin" }).click();
    await expect(files.stored).toHaveCount(0);
    await second.press("Send again");
    await second.arrives();
  });

  test("refuses names that deceive, with the reason", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await files.pick(fileOf("NUL.txt", 10), fileOf("good.txt", 10));
    await expect(files.transfer("NUL.txt").notice).toContainText("systems reserve this name; rename the file");
    await expectNoOtherTry(files.transfer("NUL.txt"));
    await files.transfer("good.txt").arrives();
  });
});

test.describe("a file store that forgets soon", () => {
  test.use({ serverFlags: ["--file-ttl", "3"] });

  test("takes a file off everybody's list when its time is over", async ({ page, visitor }) => {
    const ann = await FilesPage.visit(page);
    const bo = await FilesPage.visit(await visitor());
    // Looked for in each frame, since it is there for so short a time.
    const shown = bo.page.waitForFunction(() => document.querySelector(".files-stored [title='short.txt']")?.checkVisibility());
    await ann.pick(fileOf("short.txt", 10));
    await shown;
    await expect(bo.stored).toHaveCount(0);
    await expect(ann.stored).toHaveCount(0);
  });
});

test.describe("a file store that waits for five seconds only", () => {
  // Well more than the 0.8 seconds for which a slow line keeps an acknowledgement, and with it the next bytes.
  test.use({ serverFlags: ["--unfinished-ttl", "5"] });

  test("says so, and that a file starts over which it let go of", async ({ page }, info) => {
    test.setTimeout(180_000);
    const letGo = new Promise<void>((resolve) => {
      page.on("websocket", (socket) => {
        socket.on("framereceived", ({ payload }) => {
          if (typeof payload === "string" && payload.includes('"failed"')) {
            resolve();
          }
        });
      });
    });
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeFile(info.outputPath("large.bin")));
    await transfer.press("Pause");
    await expect(transfer.row).toContainText("the server keeps it for 5 s");
    await letGo;
    await files.restore();
    await transfer.press("Resume");
    await expect(transfer.notice).toContainText("The server no longer had what was sent, so it starts over.");
    await transfer.arrives();
  });
});

/** What would be refused again is not offered again. */
async function expectNoOtherTry(transfer: Transfer): Promise<void> {
  await expect(transfer.button("Dismiss")).toBeVisible();
  await expect(transfer.button("Send again")).toHaveCount(0);
}
