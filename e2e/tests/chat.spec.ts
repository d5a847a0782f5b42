import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChatAuthor } from "../support/chat-author.ts";
import { ChatPage } from "../support/chat-page.ts";
import { recovery } from "../support/line.ts";
import { tryLooks } from "../support/looks.ts";
import { expect, test } from "../support/test.ts";

const numbered = (count: number, word = "message") => Array.from({ length: count }, (_, index) => `${word} ${index + 1}`);

test.describe("the chat", () => {
  test("shows two visitors each other's messages, presence and typing", async ({ page, visitor }) => {
    const ada = await ChatPage.visit(page);
    await ada.rename("Ada");
    const bob = await ChatPage.visit(await visitor());
    await bob.rename("Bob");
    await expect(ada.people).toHaveText([/Ada.*you/, /Bob/]);
    await expect(bob.people).toHaveText([/Bob.*you/, /Ada/]);

    await ada.field.pressSequentially("Hello, ");
    await expect(bob.typing).toHaveText("Ada is typing…");
    await ada.send("Hello, see https://example.org/a.");
    await expect(bob.message("Hello, see https://example.org/a.")).toBeVisible();
    await expect(bob.typing).toBeEmpty();
    const link = bob.log.getByRole("link", { name: "https://example.org/a" });
    await expect(link).toHaveAttribute("rel", /nofollow/);
    await bob.send("<b>Hi</b>");
    await expect(ada.message("<b>Hi</b>")).toBeVisible();
    await expect(ada.page.locator(".chat [aria-live=polite]")).toHaveText("Bob: <b>Hi</b>");
    expect(await ada.texts()).toEqual(await bob.texts());

    // Another page of the same visitor is nobody else.
    const second = await ChatPage.visit(await page.context().newPage());
    await expect(second.message("<b>Hi</b>")).toBeVisible();
    await expect(second.people).toHaveText([/Ada.*you/, /Bob/]);
    await second.send("from my other tab");
    await expect(ada.message("from my other tab")).toHaveClass(/is-mine/);
    await expect(bob.people).toHaveCount(2);

    // A room that is not looked at counts.
    await ada.room("help").click();
    await bob.send("are you there?");
    await expect(ada.room("lobby")).toHaveText(/1\s*unread/);
    await expect(page).toHaveTitle(/^\(1\)/);
    await ada.room("lobby").click();
    await expect(ada.newLine).toBeVisible();
    await expect(ada.room("lobby")).not.toHaveText(/unread/);
  });

  test("keeps its place while older messages are loaded and new ones come", async ({ page, companion }) => {
    const author = await ChatAuthor.connect(companion.address, "long");
    await author.write(numbered(300));
    const chat = await ChatPage.visit(page, "long");
    await expect(chat.message("message 300")).toBeInViewport();
    await expect(chat.message("message 1")).toHaveCount(0);

    // Whatever is put above and below, what is read stays where it is.
    await chat.scroll(-1_500);
    await expect(chat.toEnd).toBeVisible();
    const place = (text: string) => chat.message(text).evaluate((message) => message.getBoundingClientRect().top);
    const read = "message 260";
    const before = await place(read);
    await expect(chat.message("message 201")).toHaveCount(1);
    expect(Math.abs((await place(read)) - before), "moved by the page above").toBeLessThan(2);
    await author.write(["news 1", "news 2"]);
    await expect(chat.toEnd).toHaveText("2 new messages ↓");
    expect(Math.abs((await place(read)) - before), "moved by what came below").toBeLessThan(2);
    await chat.toEnd.click();
    await expect(chat.message("news 2")).toBeInViewport();
    await expect(chat.newLine).toBeInViewport();
    await expect(chat.toEnd).toBeHidden();

    // The pages meet exactly.
    await expect(async () => {
      await chat.scroll(-20_000);
      await expect(chat.log).toContainText("This is the beginning of the room.", { timeout: 300 });
    }).toPass();
    expect(await chat.texts()).toEqual([...numbered(300), "news 1", "news 2"]);
    await author.leave();
  });

  test.describe("on a server with a journal", () => {
    test.use({ serverFlags: ["--journal", mkdtempSync(join(tmpdir(), "everwire-chat-")), "--token-ttl", "2"] });

    test("loses and repeats nothing over every fault", async ({ page, visitor, companion, errors }) => {
      test.slow();
      errors.expectLostConnections();
      errors.expect(/^Failed to load resource: net::ERR_(CONNECTION|INTERNET|EMPTY)/);
      const ada = await ChatPage.visit(page, "faults");
      const bob = await ChatPage.visit(await visitor(), "faults");
      const written: string[] = [];
      const both = async (when: string) => {
        for (const [name, chat] of [["ada", ada], ["bob", bob]] as const) {
          written.push(`${name} ${when}`);
          await chat.send(`${name} ${when}`);
        }
      };
      const settled = async (when: string) => {
        for (const chat of [ada, bob]) {
          await expect(chat.message(`ada ${when}`)).toHaveCount(1, recovery);
          await expect(chat.message(`bob ${when}`)).toHaveCount(1, recovery);
          await expect(chat.unconfirmed).toHaveCount(0, recovery);
        }
      };

      await test.step("server killed", async () => {
        await both("before the kill");
        await companion.kill();
        await both("while it is down");
        await expect(ada.log.getByText("Sending…")).not.toHaveCount(0);
        await companion.restart();
        await settled("while it is down");
      });
      await test.step("offline", async () => {
        await ada.line.goOffline(page.context());
        await both("while ada is offline");
        await expect(ada.message("bob while ada is offline")).toHaveCount(0);
        await page.context().setOffline(false);
        await settled("while ada is offline");
      });
      await test.step("page frozen", async () => {
        const session = await page.context().newCDPSession(page);
        await session.send("Page.setWebLifecycleState", { state: "frozen" });
        written.push("bob while ada sleeps");
        await bob.send("bob while ada sleeps");
        await expect(bob.unconfirmed).toHaveCount(0);
        await session.send("Page.setWebLifecycleState", { state: "active" });
        await both("after the sleep");
        await settled("after the sleep");
      });
      await test.step("token expired", async () => {
        const renewed = page.waitForRequest((request) => /\/token\?.*renew=/.test(request.url()));
        await ada.line.break("Cut the line");
        await both("while the line is cut");
        await renewed;
        await settled("while the line is cut");
        await expect(bob.people, "the same visitors").toHaveCount(2);
      });
      await test.step("half-open connection", async () => {
        await bob.line.break("Go silent");
        await both("in the silence");
        await settled("in the silence");
      });

      const texts = await ada.texts();
      expect(texts).toEqual(await bob.texts());
      expect([...texts].sort()).toEqual([...written].sort());
    });
  });

  test("says what became of a message that was sent when the server was lost", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    errors.expect(/^Failed to load resource: net::ERR_CONNECTION/);
    const chat = await ChatPage.visit(page, "lost");
    await chat.send("this is stored");
    await expect(chat.unconfirmed).toHaveCount(0);
    // Sent at once, while the page still takes the connection for a good one.
    await chat.field.fill("this is not");
    companion.stall();
    await chat.field.press("Enter");
    await expect(chat.log.getByText("Sending…")).toBeVisible();
    // Without a journal, the server forgets the session and the room.
    await companion.kill();
    await companion.restart();
    await expect(chat.failed).toContainText("it did not arrive", recovery);
    await expect(chat.log).toContainText("The server has lost what was before");
    await tryLooks(page, "chat-failed");
    await page.setViewportSize({ width: 1280, height: 900 });
    await chat.failed.getByRole("button", { name: "Send again" }).click();
    await expect(chat.unconfirmed).toHaveCount(0, recovery);
    await expect(chat.message("this is not")).toHaveCount(1);
    expect(await chat.texts()).toEqual(["this is stored", "this is not"]);
  });

  test("is usable on every device", async ({ page, visitor, companion }) => {
    const author = await ChatAuthor.connect(companion.address, "lobby");
    await author.write(["Good morning, everyone!", "The release notes: https://example.org/notes"]);
    await author.write(["Morning! I read them on the train.", "What happens if I write in a tunnel?"], "Ada");
    await author.write(["It waits, and arrives when you are out again.", "In order, and once."]);
    const chat = await ChatPage.visit(page);
    await chat.rename("Edsger");
    await ChatPage.visit(await visitor());
    await expect(chat.people).toHaveCount(2);
    await chat.send("Let me try that: kill the server while I write.");
    await expect(chat.unconfirmed).toHaveCount(0);
    await chat.field.fill("x".repeat(3_700));
    await expect(page.getByText("300 characters left")).toBeVisible();
    await chat.field.fill("");
    await tryLooks(page, "chat", async () => {
      await page.locator(".chat").scrollIntoViewIfNeeded();
    });
    await page.setViewportSize({ width: 320, height: 640 });
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
    await author.leave();
  });
});
