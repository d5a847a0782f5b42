import { type TestInfo } from "@playwright/test";
import { Companion } from "../support/companion.ts";
import { FilesPage, fileOf, large, makeFile } from "../support/files-page.ts";
import { recovery } from "../support/line.ts";
import { expect, test } from "../support/test.ts";

const name = "large.bin";

test.describe("file transfer", () => {
  // A slow machine takes most of a minute to send such a file, beside the time to notice what happened to the line.
  test.describe.configure({ timeout: 180_000 });

  test("goes on by itself from the last acknowledged byte when the line was cut", async ({ page, errors }, info) => {
    errors.expectLostConnections();
    const files = await FilesPage.visit(page);
    const offsets = offsetsOf(files);
    const transfer = await files.sendSlowly(await makeLarge(info));
    const at = ((await transfer.percent()) * large) / 100;
    await files.line.break("Cut the connection");
    await transfer.arrives();
    expect(offsets.at(-1), "where the server wanted the rest from").toBeGreaterThanOrEqual(at);
    await expect(transfer.notice).toHaveCount(0);
    await files.gives(info.outputPath(name));
  });

  test("goes on by itself when the line had gone silent", async ({ page, errors }, info) => {
    errors.expectLostConnections();
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeLarge(info));
    await files.line.break("Go silent");
    await transfer.arrives();
    await files.gives(info.outputPath(name));
  });

  test("says so and starts over when the server was started anew", async ({ page, companion, errors }, info) => {
    errors.expectLostConnections();
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeLarge(info));
    await companion.kill();
    await expect(transfer.tag).toHaveText("Waits for the connection", recovery);
    await companion.restart();
    await transfer.arrives();
    await expect(transfer.notice).toContainText("The server no longer had what was sent, so it starts over.");
    await files.gives(info.outputPath(name));
  });

  test("resumes after a reload when the same file is chosen again", async ({ page }, info) => {
    page.on("dialog", (dialog) => dialog.accept());
    const files = await FilesPage.visit(page);
    const transfer = await files.sendSlowly(await makeLarge(info));
    const at = ((await transfer.percent()) * large) / 100;
    await page.reload();
    await files.ready();
    await expect(files.left).toContainText("large.bin (80.0 MB) is not finished");

    const offsets = offsetsOf(files);
    await page.reload();
    await files.ready();
    await files.input.setInputFiles(info.outputPath(name));
    await files.transfer(name).arrives();
    expect(offsets[0]).toBeGreaterThanOrEqual(at);
    await expect(files.left).toHaveCount(0);
    await files.gives(info.outputPath(name));
  });

  test("lets go of what an earlier visit left when the visitor does not want it", async ({ page }, info) => {
    page.on("dialog", (dialog) => dialog.accept());
    const files = await FilesPage.visit(page);
    await files.sendSlowly(await makeLarge(info));
    await page.reload();
    await files.ready();
    await page.getByRole("button", { name: "Forget large.bin" }).click();
    await expect(files.left).toHaveCount(0);
    await page.reload();
    await files.ready();
    await expect(files.left).toHaveCount(0);
  });

  test("is told in the page that sends it when another page lets go of it", async ({ context, page }, info) => {
    const first = await FilesPage.visit(page);
    const transfer = await first.sendSlowly(await makeLarge(info));
    const second = await FilesPage.visit(await context.newPage());
    await second.page.getByRole("button", { name: "Forget large.bin" }).click();
    await expect(transfer.notice).toContainText("cancelled from another page");
    await first.restore();
    await transfer.press("Send again");
    await transfer.arrives();
  });

  test("starts over on another server when the visitor chooses one", async ({ page, errors }, info) => {
    errors.expectLostConnections();
    const other = await Companion.start();
    try {
      const files = await FilesPage.visit(page);
      await files.pick(fileOf("before.txt", 10));
      await files.transfer("before.txt").arrives();
      const transfer = await files.sendSlowly(await makeLarge(info));
      await page.getByRole("button", { name: /change it$/ }).click();
      await page.getByRole("textbox", { name: "Server that all pages talk to" }).fill(other.address);
      await page.getByRole("button", { name: "Use this server" }).click();
      await transfer.arrives();
      await expect(transfer.notice).toHaveCount(0);
      await expect(files.stored).toHaveCount(1);
      await expect(files.link(name)).toHaveAttribute("href", new RegExp(`^${other.address}/files/`));
      await files.gives(info.outputPath(name));
    } finally {
      await other.kill();
    }
  });

  test("goes on in the page where it was chosen last", async ({ context, page }, info) => {
    const path = await makeFile(info.outputPath("huge.bin"));
    const first = await FilesPage.visit(page);
    const second = await FilesPage.visit(await context.newPage());
    const transfer = await first.sendSlowly(path);
    await second.input.setInputFiles(path);
    await second.transfer("huge.bin").arrives();
    await expect(transfer.tag).toHaveText("Paused");
    await expect(transfer.notice).toContainText("from another page");
  });
});

/** Makes the file that is under way when something happens to it. */
function makeLarge(info: TestInfo): Promise<string> {
  return makeFile(info.outputPath(name));
}

/** The offsets that the server names as it takes a file up, in the order in which it does. */
function offsetsOf(files: FilesPage): number[] {
  const offsets: number[] = [];
  files.page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const news: unknown = typeof payload === "string" ? JSON.parse(payload) : undefined;
      if (typeof news === "object" && news !== null && "type" in news && news.type === "ready" && "offset" in news) {
        offsets.push(Number(news.offset));
      }
    });
  });
  return offsets;
}
