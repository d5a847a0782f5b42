import { readFile } from "node:fs/promises";
import { type Page } from "@playwright/test";
import { withoutClipboard } from "../support/clipboard.ts";
import { EchoPage } from "../support/echo-page.ts";
import { expect, test } from "../support/test.ts";

test.describe("the echo tester's log", () => {
  test("shows what passes the filter, and is empty once cleared", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    for (const text of ["apple", "Apple pie", "pear"]) {
      await echo.send(text);
      await expect(echo.received(text).last()).toBeVisible();
    }

    const log = page.getByRole("region", { name: "Log" });
    await log.getByRole("searchbox", { name: "Find" }).fill("apple");
    await expect(echo.rows).toHaveCount(4);
    await log.getByLabel("Direction").selectOption("Received");
    await expect(echo.rows).toHaveText([/apple/, /Apple pie/]);
    await log.getByRole("searchbox", { name: "Find" }).fill("nothing like this");
    await expect(log.getByText("No line matches the filter.")).toBeVisible();

    await log.getByRole("searchbox", { name: "Find" }).fill("");
    await log.getByLabel("Direction").selectOption("Connection");
    await expect(echo.rows.first()).toContainText("Connect");
    await expect(echo.received("apple")).toHaveCount(0);

    await log.getByLabel("Direction").selectOption("All directions");
    await log.getByRole("button", { name: "Clear" }).click();
    await expect(echo.rows).toHaveCount(0);
    await expect(echo.amount).toBeEmpty();
  });

  test("shows a message as queued until it is sent, and counts its round trip from there", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const echo = await EchoPage.connected(page);
    await companion.kill();
    await echo.line.down();
    await echo.send("while away");
    await expect(echo.sent("while away")).toHaveText(/^…Queued .*queued$/);

    await companion.restart();
    await echo.line.open();
    await expect(echo.received("while away")).toBeVisible();
    await expect(echo.sent("while away")).toHaveText(/^↑Sent /);

    const facts = page.getByRole("region", { name: "Selected line" }).locator("p");
    await echo.sent("while away").click();
    await expect(facts).toHaveText(/^Sent text · queued [\d:.]+, sent [\d:.]+ · 10 bytes$/);
    const [queued, sent] = [...(await facts.innerText()).matchAll(/(?:queued|sent) ([\d:.]+)/g)].map(([, time]) => Date.parse(`1970-01-01T${time}Z`));
    const outage = (Number(sent) - Number(queued) + 86_400_000) % 86_400_000;
    await echo.received("while away").click();
    await expect(facts).toContainText("round trip");
    const trip = Number(/round trip ([\d.]+) ms/.exec(await facts.innerText())?.[1]);
    expect(trip).toBeLessThan(outage);
  });

  test("lets go of the selected line when it is cleared", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.send("to be forgotten");
    await echo.received("to be forgotten").click();
    const selected = page.getByRole("region", { name: "Selected line" });
    await expect(selected).toBeVisible();
    await page.getByRole("button", { name: "Clear" }).click();
    await expect(selected).toHaveCount(0);
  });

  test("copies a line, where a page may do that", async ({ page, context, visitor, companion }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const detail = async (page: Page) => {
      await page.goto(`${companion.address}/echo`);
      const echo = new EchoPage(page);
      await echo.preset("echo").click();
      await echo.connect();
      await echo.send("to be copied");
      await echo.received("to be copied").click();
      const selected = page.getByRole("region", { name: "Selected line" });
      await expect(selected.getByLabel("Content")).toHaveText("to be copied");
      return selected;
    };
    await (await detail(page)).getByRole("button", { name: "Copy" }).click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("to be copied");

    const other = await visitor();
    await other.addInitScript(withoutClipboard);
    await expect((await detail(other)).getByRole("button", { name: "Copy" })).toHaveCount(0);
  });

  test("finds bytes by their hexadecimal digits", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.chooseFormat("Binary");
    await echo.send("de ad be ef");
    await echo.send("00 11 22 33");
    await expect(page.locator(".log-received")).toHaveCount(2);

    await page.getByRole("searchbox", { name: "Find" }).fill("adbe");
    await expect(echo.rows).toHaveText([/de ad be ef/, /de ad be ef/]);
  });

  test("is exported as JSON lines, of the lines that the filter leaves", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.send("a line\nwith a break");
    await expect(echo.received("a line")).toBeVisible();
    await echo.chooseFormat("Binary");
    await echo.send("ca fe");
    await expect(echo.received("ca fe")).toBeVisible();
    await page.getByRole("region", { name: "Log" }).getByLabel("Direction").selectOption("Received");
    await expect(echo.rows).toHaveCount(2);

    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export" }).click();
    const download = await downloading;

    expect(download.suggestedFilename()).toBe("everwire-log.jsonl");
    const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\n");
    const time = expect.any(Number);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { time, direction: "received", size: 19, round_trip_ms: time, text: "a line\nwith a break" },
      { time, direction: "received", size: 2, round_trip_ms: time, binary: "cafe" },
    ]);
  });

  test.describe("with a hundred thousand lines", () => {
    test.use({ serverFlags: ["--max-messages-per-second", "0"] });

    test("keeps few of them in the page, and reaches the first and the last", async ({ page }) => {
      // A slow machine is busy with them for minutes.
      test.setTimeout(300_000);
      const echo = await EchoPage.connected(page);
      await echo.message.fill("one of many");
      await echo.repeat(50_000, 20_000);
      await expect(echo.amount, "50,000 there and back, and the connecting").toHaveText(/^100,00[1-9] lines$/, {
        timeout: 200_000,
      });
      await expect.poll(() => echo.rows.count()).toBeLessThan(100);

      await echo.log.focus();
      await page.keyboard.press("Home");
      await expect(echo.rows.first()).toHaveAttribute("aria-posinset", "1");
      await expect(echo.rows.first()).toContainText("Connect");
      await expect(echo.rows.first()).toBeInViewport();

      await page.keyboard.press("End");
      const last = await echo.rows.last();
      await expect(last).toHaveAttribute("aria-posinset", /^100,?00[1-9]$/);
      await expect(last).toBeInViewport();

      // By the scroll bar to the middle.
      await echo.log.evaluate((log) => log.scrollTo({ top: log.scrollHeight / 2 }));
      const place = () => echo.rows.first().getAttribute("aria-posinset").then(Number);
      await expect.poll(place).toBeGreaterThan(49_000);
      await expect.poll(place).toBeLessThan(51_000);
      expect(await echo.rows.count()).toBeLessThan(100);
    });
  });
});
