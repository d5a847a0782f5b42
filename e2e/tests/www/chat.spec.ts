import { type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Companion } from "../../support/companion.ts";
import { recovery } from "../../support/line.ts";
import { tryLooks } from "../../support/looks.ts";
import { expect, test as base } from "../../support/www.ts";

/** Opens the chat as someone of this name. */
async function enter(page: Page, companion: Companion, name: string): Promise<void> {
  await page.goto(`${companion.address}/chat.html`);
  await expect(page.getByRole("status")).toHaveText("Connected");
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Your name").blur();
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const test = base.extend({
  serverFlags: async ({}, use) => {
    const journal = await mkdtemp(join(tmpdir(), "everwire-journal-"));
    await use(["--journal", journal]);
    await rm(journal, { recursive: true });
  },
});

test("two people see each other and what each writes, also what was written while the server was gone", async ({ page, visitor, companion, errors }) => {
  errors.expectLostConnections();
  const other = await visitor();
  await enter(page, companion, "Ada");
  await enter(other, companion, "Grace");
  for (const who of [page, other]) await expect(who.getByText(/^Here: /)).toHaveText(/^Here: (Ada, Grace|Grace, Ada)$/);
  await write(page, "hello");
  await expect(other.getByRole("listitem").last()).toHaveText("Ada hello");
  await write(other, "hello yourself");
  await expect(page.getByRole("listitem").last()).toHaveText("Grace hello yourself");

  await companion.kill();
  await expect(page.getByRole("status")).toHaveText("Reconnecting");
  await write(page, "still there?");
  await expect(page.getByRole("listitem").last()).toHaveAttribute("data-state", "pending");
  await companion.restart();
  const all = [/^Everwire Welcome/, "Ada hello", "Grace hello yourself", "Ada still there?"];
  for (const who of [page, other]) await expect(who.getByRole("listitem")).toHaveText(all, recovery);
  await expect(page.locator("li:not([data-state=stored])")).toHaveCount(0);
});

test("on phone and desktop, light and dark, everybody can use the chat", async ({ page, visitor, companion }) => {
  const other = await visitor();
  await enter(page, companion, "Ada");
  await enter(other, companion, "Grace");
  await write(page, "Is anybody there?");
  await expect(other.getByRole("listitem")).toHaveCount(2);
  await write(other, "I am.");
  await expect(page.locator("li:last-child[data-state=stored]")).toHaveText("Grace I am.");
  await tryLooks(page, "www-chat");
});

test("the chat has 60 lines, as its page says", async ({ page }) => {
  const code = readFileSync(resolve(import.meta.dirname, "../../../www/src/chat.ts"), "utf8");
  expect(code.trimEnd().split("\n").length).toBeLessThanOrEqual(60);
  for (const path of ["/", "/chat.html"]) {
    await page.goto(path);
    await expect(page.locator(".lead")).toContainText("60 lines");
  }
});
