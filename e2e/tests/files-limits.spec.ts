import { FilesPage, type Transfer, fileOf, makeFile } from "../support/files-page.ts";
import { expect, test } from "../support/test.ts";

test.describe("a file store that is small", () => {
  test.use({ serverFlags: ["--max-store-bytes", "2000", "--max-file-bytes", "1500", "--max-files", "3"] });

  test("rejects a file that is too large without sending it", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await files.pick(fileOf("large.bin", 1501));
    await expect(files.transfer("large.bin").notice).toContainText("too large: the server accepts files up to 1.5 kB");
    await expect(files.announcement).toContainText("large.bin was not sent");
    await expectNoRetry(files.transfer("large.bin"));
  });

  test("names the oldest file when it is full, and accepts the file once there is room", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await files.pick(fileOf("first.bin", 1200), fileOf("second.bin", 1000));
    const second = files.transfer("second.bin");
    await expect(second.notice).toContainText("The store is full: 1.2 kB of 2.0 kB are taken, and this file needs 1.0 kB");
    await expect(second.notice).toContainText("“first.bin” is the oldest and will be deleted in 60 min");

    await page.getByRole("button", { name: "Delete first.bin" }).click();
    await expect(files.stored).toHaveCount(0);
    await second.press("Retry");
    await second.completes();
  });

  test("rejects reserved names with the reason", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await files.pick(fileOf("NUL.txt", 10), fileOf("good.txt", 10));
    await expect(files.transfer("NUL.txt").notice).toContainText("systems reserve this name; rename the file");
    await expectNoRetry(files.transfer("NUL.txt"));
    await files.transfer("good.txt").completes();
  });
});

test.describe("a file store that deletes files soon", () => {
  test.use({ serverFlags: ["--file-ttl", "3"] });

  test("removes an expired file from the list of every visitor", async ({ page, visitor }) => {
    const ann = await FilesPage.visit(page);
    const bo = await FilesPage.visit(await visitor());
    // Polled in each frame, since the file is there only for a short time.
    const shown = bo.page.waitForFunction(() => document.querySelector(".files-stored [title='short.txt']")?.checkVisibility());
    await ann.pick(fileOf("short.txt", 10));
    await shown;
    await expect(bo.stored).toHaveCount(0);
    await expect(ann.stored).toHaveCount(0);
  });
});

test.describe("a file store that keeps unfinished uploads for five seconds", () => {
  // Well above the 0.8 seconds by which a slow connection delays an acknowledgement, and with it the next bytes.
  test.use({ serverFlags: ["--unfinished-ttl", "5"] });

  test("shows the time, and starts an upload over that it has dropped", async ({ page }, info) => {
    test.setTimeout(180_000);
    const dropped = new Promise<void>((resolve) => {
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
    await dropped;
    await files.restore();
    await transfer.press("Resume");
    await expect(transfer.notice).toContainText("The server no longer has the first part, so the upload starts over.");
    await transfer.completes();
  });
});

/** A file that would be rejected again has no retry button. */
async function expectNoRetry(transfer: Transfer): Promise<void> {
  await expect(transfer.button("Dismiss")).toBeVisible();
  await expect(transfer.button("Retry")).toHaveCount(0);
}
