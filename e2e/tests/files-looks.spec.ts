import { FilesPage, fileOf, large, makeFile } from "../support/files-page.ts";
import { tryLooks } from "../support/looks.ts";
import { expect, test } from "../support/test.ts";

test.describe("on phone and desktop, light and dark, everyone can use", () => {
  test.use({ serverFlags: ["--max-file-bytes", "1073741824"] });

  test("the file transfer", async ({ page, visitor }, info) => {
    const bo = await FilesPage.visit(await visitor());
    await bo.pick(fileOf("Protokoll der Jahresversammlung mit allen Anlagen 2026.pdf", 2_345_678));
    await bo.transfer("Protokoll der Jahresversammlung mit allen Anlagen 2026.pdf").completes();

    const files = await FilesPage.visit(page);
    await files.pick(fileOf("notes.txt", 1_234));
    await files.transfer("notes.txt").completes();
    await files.pick(fileOf("CON.txt", 10));
    await expect(files.transfer("CON.txt").notice).toBeVisible();
    const paused = await files.sendSlowly(await makeFile(info.outputPath("recording-2026-11-20.flac")));
    await paused.press("Pause");
    const pictures = await makeFile(info.outputPath("holiday-pictures.tar.gz"), 4 * large);
    await files.input.setInputFiles([pictures, await makeFile(info.outputPath("list.csv"), 54_321)]);
    const transfer = files.transfer("holiday-pictures.tar.gz");
    await transfer.reaches(3);
    await expect(transfer.row).toContainText("left");
    await tryLooks(page, "files");
  });

  test("the empty file transfer", async ({ page }) => {
    await FilesPage.visit(page);
    await tryLooks(page, "files-empty");
  });
});
