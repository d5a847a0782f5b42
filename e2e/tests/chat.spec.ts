import { ChatAuthor } from "../support/chat-author.ts";
import { ChatPage } from "../support/chat-page.ts";
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

  test("draws only what is near, however long the room is, and leaves no place empty", async ({ page, companion }) => {
    const author = await ChatAuthor.connect(companion.address, "long");
    await author.write(numbered(1_000));
    await author.leave();
    const chat = await ChatPage.visit(page, "long");
    await expect(chat.message("message 1000")).toBeInViewport();
    await chat.scrollToBeginning();
    await expect(chat.messages).toHaveCount(1_000);
    const { most, empty } = await chat.scrollThrough(20);
    expect(most, "messages that are laid out and painted").toBeLessThan(400);
    expect(empty, "where nothing is shown").toEqual([]);
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
