import { FilesPage, fileOf, large, makeFile, sha256 } from "../support/files-page.ts";
import { tabTo } from "../support/keyboard.ts";
import { expect, test } from "../support/test.ts";

test.describe("file transfer", () => {
  test("sends a picked file, which downloads byte for byte", async ({ page }) => {
    const files = await FilesPage.visit(page);
    const file = fileOf("Müllers Bericht (2).bin", 3_000_001);
    await files.pick(file);
    await files.transfer(file.name).completes();
    await expect(files.transfer(file.name).row).toContainText(`SHA-256 ${sha256(file.buffer).slice(0, 12)}… matches`);
    await expect(files.announcement).toHaveText(`${file.name} was uploaded, and the checksum matches.`);
    expect(sha256(await files.fetch(file.name))).toBe(sha256(file.buffer));

    const download = page.waitForEvent("download");
    await files.link(file.name).click();
    expect((await download).suggestedFilename()).toBe(file.name);
  });

  test("sends several dropped files, one after another", async ({ page }) => {
    const files = await FilesPage.visit(page);
    const dropped = [fileOf("a.bin", 700_000), fileOf("empty.txt", 0), fileOf("b.txt", 5)];
    await files.drop(...dropped);
    for (const { name, buffer } of dropped) {
      await files.transfer(name).completes();
      expect(sha256(await files.fetch(name))).toBe(sha256(buffer));
    }
  });

  test("shows a second visitor earlier and new files", async ({ page, visitor }) => {
    const ann = await FilesPage.visit(page);
    const [before, now] = [fileOf("before.bin", 1_000), fileOf("now.bin", 2_000)];
    await ann.pick(before);
    await ann.transfer(before.name).completes();

    const bo = await FilesPage.visit(await visitor());
    await expect(bo.stored).toHaveCount(1);
    await ann.pick(now);
    await expect(bo.link(now.name)).toBeVisible();
    expect(sha256(await bo.fetch(now.name))).toBe(sha256(now.buffer));
    await expect(bo.page.getByRole("button", { name: "Delete now.bin" })).toHaveCount(0);

    await ann.page.getByRole("button", { name: "Delete now.bin" }).click();
    await expect(bo.stored).toHaveCount(1);
    await expect(bo.link(now.name)).toHaveCount(0);
  });

  test("pauses and resumes at the same place", async ({ page }, info) => {
    test.setTimeout(180_000);
    const path = await makeFile(info.outputPath("large.bin"));
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(path);
    await transfer.press("Pause");
    await expect(transfer.tag).toHaveText("Paused");
    const at = await transfer.percent();
    // Another file is sent, so that time passes.
    const other = fileOf("small.bin", 100);
    await files.pick(other);
    await files.transfer(other.name).completes();
    expect(await transfer.percent()).toBe(at);

    await files.restore();
    await transfer.press("Resume");
    await transfer.completes();
    await files.matches(path);
  });

  test("cancels and leaves nothing behind", async ({ page }, info) => {
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeFile(info.outputPath("unwanted.bin")));
    await transfer.press("Cancel");
    await expect(transfer.row).toHaveCount(0);
    await expect(files.stored).toHaveCount(0);
    await expect(files.unfinished).toHaveCount(0);
    await page.reload();
    await files.ready();
    await expect(files.unfinished).toHaveCount(0);
  });

  test("asks before the page is closed only while a file is being sent", async ({ page }, info) => {
    const files = await FilesPage.visit(page);
    const asked: string[] = [];
    page.on("dialog", async (dialog) => {
      asked.push(dialog.type());
      await dialog.dismiss();
    });
    const transfer = await files.sendSlowly(await makeFile(info.outputPath("large.bin")));
    await page.close({ runBeforeUnload: true });
    await expect.poll(() => asked).toEqual(["beforeunload"]);
    await transfer.press("Cancel");
    const closed = page.waitForEvent("close");
    await page.close({ runBeforeUnload: true });
    await closed;
    expect(asked).toEqual(["beforeunload"]);
  });

  test("asks before another page is shown only while a file is being sent", async ({ page }, info) => {
    await page.goto("/");
    const link = (name: string) => page.getByRole("navigation").getByRole("link", { name, exact: true });
    await link("Files").click();
    const files = new FilesPage(page);
    await files.ready();
    const transfer = await files.sendSlowly(await makeFile(info.outputPath("large.bin"), 2 * large));

    for (const leave of [() => link("Echo").click(), () => page.evaluate(() => history.back())]) {
      const asked = page.waitForEvent("dialog");
      const left = leave();
      const dialog = await asked;
      expect(dialog.message()).toContain("Files are still being sent");
      await dialog.dismiss();
      await left;
      await expect(page).toHaveURL(/\/files$/);
      await expect(transfer.row).toBeVisible();
    }
    // The transfer has continued meanwhile.
    await transfer.reaches((await transfer.percent()) + 1);

    const asked: string[] = [];
    page.on("dialog", async (dialog) => {
      asked.push(dialog.type());
      await dialog.accept();
    });
    await link("Echo").click();
    await expect(page).toHaveURL(/\/echo$/);
    expect(asked).toEqual(["confirm"]);
    await page.goBack();
    await files.ready();
    expect(asked, "nothing is being sent any more").toEqual(["confirm"]);
  });

  test("keeps the focus where a keyboard user acts", async ({ page }, info) => {
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeFile(info.outputPath("large.bin"), 2 * large));
    const next = files.transfer("next.bin");
    await files.input.setInputFiles(await makeFile(info.outputPath("next.bin"), 2 * large));
    await transfer.button("Pause").focus();
    await page.keyboard.press("Enter");
    // The next file is listed above it now.
    await expect(next.tag).toHaveText("Sending");
    await expect(transfer.button("Resume")).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(transfer.button("Pause")).toBeFocused();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expect(transfer.row).toHaveCount(0);
    await expect(page.getByRole("heading", { name: "Your files" })).toBeFocused();
    await next.button("Cancel").focus();
    await page.keyboard.press("Enter");
    await expect(next.row).toHaveCount(0);
    await expect(files.input).toBeFocused();
  });

  test("works without a mouse", async ({ page }) => {
    const files = await FilesPage.visit(page);
    await tabTo(page, files.input);
    const chooser = page.waitForEvent("filechooser");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(fileOf("typed.txt", 20));
    await files.transfer("typed.txt").completes();
    await tabTo(page, files.link("typed.txt"));
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    expect((await download).suggestedFilename()).toBe("typed.txt");
  });
});
