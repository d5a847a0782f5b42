import { type TestInfo } from "@playwright/test";
import { Companion } from "../support/companion.ts";
import { FilesPage, fileOf, large, makeFile } from "../support/files-page.ts";
import { recovery } from "../support/line.ts";
import { expect, test } from "../support/test.ts";

const name = "large.bin";

test.describe("file transfer", () => {
  // A slow machine takes most of a minute to send such a file, plus the time to detect the lost connection.
  test.describe.configure({ timeout: 180_000 });

  test("resumes from the last acknowledged byte after a cut connection", async ({ page, errors }, info) => {
    errors.expectLostConnections();
    const files = await FilesPage.visit(page);
    const offsets = offsetsOf(files);
    const transfer = await files.sendSlowly(await makeLarge(info));
    const at = ((await transfer.percent()) * large) / 100;
    await files.line.break("Cut the connection");
    await transfer.completes();
    expect(offsets.at(-1), "where the server resumes").toBeGreaterThanOrEqual(at);
    await expect(transfer.notice).toHaveCount(0);
    await files.matches(info.outputPath(name));
  });

  test("resumes after a silent connection", async ({ page, errors }, info) => {
    errors.expectLostConnections();
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeLarge(info));
    await files.line.break("Go silent");
    await transfer.completes();
    await files.matches(info.outputPath(name));
  });

  test("starts over with a note after a restart of the server", async ({ page, companion, errors }, info) => {
    errors.expectLostConnections();
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeLarge(info));
    await companion.kill();
    await expect(transfer.tag).toHaveText("Waiting for the connection", recovery);
    await companion.restart();
    await transfer.completes();
    await expect(transfer.notice).toContainText("The server no longer has the first part, so the upload starts over.");
    await files.matches(info.outputPath(name));
  });

  test("resumes after a reload when the same file is chosen again", async ({ page }, info) => {
    page.on("dialog", (dialog) => dialog.accept());
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeLarge(info));
    const at = ((await transfer.percent()) * large) / 100;
    await page.reload();
    await files.ready();
    await expect(files.unfinished).toContainText("large.bin (80.0 MB) is not finished");

    const offsets = offsetsOf(files);
    await page.reload();
    await files.ready();
    await files.input.setInputFiles(info.outputPath(name));
    await files.transfer(name).completes();
    expect(offsets[0]).toBeGreaterThanOrEqual(at);
    await expect(files.unfinished).toHaveCount(0);
    await files.matches(info.outputPath(name));
  });

  test("discards an unfinished upload of an earlier visit on request", async ({ page }, info) => {
    page.on("dialog", (dialog) => dialog.accept());
    const files = await FilesPage.visit(page);
    await files.sendSlowly(await makeLarge(info));
    await page.reload();
    await files.ready();
    await page.getByRole("button", { name: "Discard large.bin" }).click();
    await expect(files.unfinished).toHaveCount(0);
    await page.reload();
    await files.ready();
    await expect(files.unfinished).toHaveCount(0);
  });

  test("shows in the page that sends it that another page has cancelled it", async ({ context, page }, info) => {
    const first = await FilesPage.visit(page);
    const transfer = await first.sendSlowly(await makeLarge(info));
    const second = await FilesPage.visit(await context.newPage());
    await second.page.getByRole("button", { name: "Discard large.bin" }).click();
    await expect(transfer.notice).toContainText("cancelled from another page");
    await first.restore();
    await transfer.press("Retry");
    await transfer.completes();
  });

  test("starts over on another server when the visitor chooses one", async ({ page, errors }, info) => {
    errors.expectLostConnections();
    const other = await Companion.start();
    try {
      const files = await FilesPage.visit(page);
      await files.pick(fileOf("before.txt", 10));
      await files.transfer("before.txt").completes();
      const transfer = await files.sendSlowly(await makeLarge(info));
      await page.getByRole("button", { name: /change it$/ }).click();
      await page.getByRole("textbox", { name: "Server that all pages talk to" }).fill(other.address);
      await page.getByRole("button", { name: "Use this server" }).click();
      await transfer.completes();
      await expect(transfer.notice).toHaveCount(0);
      await expect(files.stored).toHaveCount(1);
      await expect(files.link(name)).toHaveAttribute("href", new RegExp(`^${other.address}/files/`));
      await files.matches(info.outputPath(name));
    } finally {
      await other.kill();
    }
  });

  test("continues in the page where it was chosen last", async ({ context, page }, info) => {
    const path = await makeFile(info.outputPath("huge.bin"));
    const first = await FilesPage.visit(page);
    const second = await FilesPage.visit(await context.newPage());
    const transfer = await first.sendSlowly(path);
    await second.input.setInputFiles(path);
    await second.transfer("huge.bin").completes();
    await expect(transfer.tag).toHaveText("Paused");
    await expect(transfer.notice).toContainText("from another page");
  });
});

/** Makes the file that is interrupted. */
function makeLarge(info: TestInfo): Promise<string> {
  return makeFile(info.outputPath(name));
}

/** The offsets at which the server starts or resumes uploads, in order. */
function offsetsOf(files: FilesPage): number[] {
  const offsets: number[] = [];
  files.page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const message: unknown = typeof payload === "string" ? JSON.parse(payload) : undefined;
      if (typeof message === "object" && message !== null && "type" in message && message.type === "ready" && "offset" in message) {
        offsets.push(Number(message.offset));
      }
    });
  });
  return offsets;
}
