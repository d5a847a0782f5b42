import { ChatPage } from "../support/chat-page.ts";
import { tabTo } from "../support/keyboard.ts";
import { LivePage, panels } from "../support/live-page.ts";
import { recovery } from "../support/line.ts";
import { tryLooks } from "../support/looks.ts";
import { drawLongDelays } from "../support/lot.ts";
import { kept } from "../support/screenshots.ts";
import { Shifts } from "../support/shifts.ts";
import { expect, test } from "../support/test.ts";

test.describe("the trading floor", () => {
  test.use({ serverFlags: ["--monitor"] });

  test("has all panels on one WebSocket, and no number that changes moves another", async ({ page }) => {
    let sockets = 0;
    page.on("websocket", () => (sockets += 1));
    const live = await LivePage.visit(page);
    await expect(live.connection).toHaveText("7 channels on 1 connection");
    await expect(live.panel("Trading day")).toContainText(/(Auction|Opens|Closes) in 0:\d\d/);
    await expect(live.panel("Server")).toContainText(/Processor\s*\d+ %/);
    await expect(live.panel("News").getByRole("listitem").nth(5)).toBeVisible();
    await expect(live.panel("Server log")).toContainText("a session started");
    await live.say("Good morning, floor!");

    const shifts = await Shifts.watch(page);
    for (const panel of ["Trading day", "Server", "Stocks", "Currencies"] as const) {
      await live.moves(panel);
    }
    // Lists move by nature, and so does the start of a number that is aligned at its end.
    expect((await shifts.seen()).filter((shift) => !/^(“|(li|time|span|ol|strong)\b)/.test(shift))).toEqual([]);

    expect(sockets).toBe(1);
    const payloads = await Promise.all(panels.map(([, channel]) => live.messages(channel)));
    expect(Math.min(...payloads), "each has had a message").toBeGreaterThan(0);
    const batches = await live.messages("Batches");
    expect(batches, "several messages travel together").toBeLessThan(await live.messages("All payloads"));
  });

  test("does not receive what is switched off by the keyboard, and remembers it", async ({ page }) => {
    const frames: string[] = [];
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => frames.push(String(payload)));
      socket.on("framesent", ({ payload }) => frames.push(String(payload)));
    });
    const live = await LivePage.visit(page);
    await tabTo(page, live.switch("Stocks"));
    await page.keyboard.press("Space");
    await expect(live.switch("Stocks")).not.toBeChecked();
    await expect(live.connection).toHaveText("6 channels on 1 connection");
    await expect(live.panel("Stocks")).toContainText("Off");
    await expect.poll(() => frames.some((frame) => frame.includes("unsub live/market"))).toBe(true);
    // What was on its way arrives; then nothing more comes while others go on.
    await live.getsMore("live/currency", 8);
    const before = frames.length;
    await live.getsMore("live/currency", 16);
    expect(frames.slice(before).filter((frame) => frame.includes("msg live/market"))).toEqual([]);

    frames.length = 0;
    await page.reload();
    await live.getsMore("live/currency", 4);
    await expect(live.switch("Stocks")).not.toBeChecked();
    expect(frames.filter((frame) => /(sub|msg) live\/market/.test(frame))).toEqual([]);
    await live.switch("Stocks").click();
    await live.moves("Stocks");
  });

  test("shows the lines of the log that matter", async ({ page }) => {
    const live = await LivePage.visit(page);
    const log = live.panel("Server log");
    await expect(log.getByRole("listitem").first()).toBeVisible();
    await log.getByRole("combobox", { name: "Lines to show" }).selectOption("Errors");
    await expect(log.getByRole("listitem")).toHaveCount(0);
    await expect(log).toContainText("No lines.");
  });

  test("goes on with a server that has lost its history and counts from the start", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    errors.expect(/^Failed to load resource/);
    await drawLongDelays(page);
    const live = await LivePage.visit(page);
    await live.say("Before");
    await expect(live.panel("Server log")).toContainText("a session started");
    await companion.kill();
    await live.line.down();
    await companion.restart();
    await live.line.now.click(recovery);
    await live.say("After");
    await expect(live.panel("Chat")).toContainText("Before");
    await live.moves("Stocks");
  });

  test("is for everyone on every device", async ({ page }) => {
    // A picture that is kept has sparklines of some length.
    const seconds = kept ? 40 : 3;
    test.setTimeout(90_000 + seconds * 1_500);
    const live = await LivePage.visit(page);
    await live.say("Good morning, floor!");
    await live.getsMore("live/monitor", seconds);
    await expect(live.line.detail).toHaveText(/m?s$/);
    await tryLooks(page, "live");
  });
});

test.describe("a server with a journal", () => {
  test.use({ serverFlags: ["--monitor"], supervised: true });

  test("is killed by the menu and started again, and every panel goes on without a gap", async ({ page, errors }) => {
    errors.expectLostConnections();
    errors.expect(/^Failed to load resource/);
    // So that there is time to look while it is down.
    await drawLongDelays(page);
    const live = await LivePage.visit(page);
    await live.say("Before");
    const counts = () => Promise.all(panels.map(([, channel]) => live.messages(channel)));
    await live.line.break("Kill the server");
    await live.line.down();
    const before = await counts();
    await expect(live.panel("Stocks").locator("tbody tr"), "what was known stays").toHaveCount(10);
    await live.line.now.click(recovery);
    await live.line.open();
    await live.say("After");
    const all = (await counts()).map((_, index) => expect.poll(async () => (await counts())[index], panels[index]?.[1]));
    await Promise.all(all.map((count, index) => count.toBeGreaterThan(before[index] ?? NaN)));
    for (const panel of ["Server", "Stocks", "Currencies"] as const) {
      await live.moves(panel);
    }
    await expect(live.panel("Chat")).toContainText("Before");
    await expect(live.panel("Server log")).toContainText("a session was resumed");
    await expect(live.note).toContainText("7 resumed · 0 missed", recovery);
  });
});

test("the trading floor goes on without any motion for who prefers less of it", async ({ page, errors }) => {
  errors.expectLostConnections();
  await drawLongDelays(page);
  const live = await LivePage.visit(page);
  const motions = await page.evaluateHandle(noteMotions);
  const banner = live.page.locator(".live-banner-text");
  const act = async () => {
    await live.switch("News").click();
    await live.switch("News").click();
    await live.line.break("Refuse");
    await live.line.now.click(recovery);
    await live.line.open();
    await live.moves("Trading day");
    return motions.evaluate((motions) => motions.splice(0));
  };
  expect(await act()).not.toEqual([]);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await motions.evaluate((motions) => motions.splice(0));
  const place = await banner.boundingBox();
  expect(await act()).toEqual([]);
  expect(await banner.boundingBox(), "the banner stays").toEqual(place);
});

test("a server that exposes nothing of its machine has a floor without its log", async ({ page }) => {
  const live = await LivePage.visit(page);
  await expect(live.panel("Server log")).toContainText("Start it with --monitor");
  await expect(live.panel("Server")).toContainText("Messages a second");
  await expect(live.panel("Server")).not.toContainText("Processor");
});

test("a server that is started again with its log shows it to a page that is open", async ({ page, companion, errors }) => {
  errors.expectLostConnections();
  errors.expect(/^Failed to load resource/);
  const live = await LivePage.visit(page);
  await expect(live.panel("Server log")).toContainText("Start it with --monitor");
  await companion.kill();
  await companion.restart({ flags: ["--monitor"] });
  await expect(live.panel("Server log")).toContainText("a session started", recovery);
});

test("what the panel of the chat could not send can be sent again, there and in the chat", async ({ page, companion, errors }) => {
  errors.expectLostConnections();
  errors.expect(/^Failed to load resource/);
  const live = await LivePage.visit(page);
  await live.say("this is stored");
  // Sent at once, while the page still takes the connection for a good one.
  await live.field.fill("this is not");
  companion.stall();
  await live.field.press("Enter");
  await expect(live.panel("Chat")).toContainText("Sending…");
  // Without a journal, the server forgets the session and the room.
  await companion.kill();
  await companion.restart();
  await expect(live.unsent).toContainText("it did not arrive", recovery);
  await live.panel("Chat").getByRole("link", { name: "All rooms" }).click();
  await expect(new ChatPage(page).failed).toContainText("this is not");
  await page.goBack();
  await live.unsent.getByRole("button", { name: "Send again" }).click();
  await live.has("this is not");
});

/** Notes from now on what moves for longer than can be seen: the targets of animations and transitions. */
function noteMotions(): string[] {
  const motions: string[] = [];
  const look = ({ type, target }: Event) => {
    const seen = document.getAnimations().some(({ effect }) => Number(effect?.getComputedTiming().endTime) > 1);
    if (seen) {
      motions.push(`${type} of ${(target as Element).outerHTML.slice(0, 80)}`);
    }
  };
  document.addEventListener("animationstart", look);
  document.addEventListener("transitionrun", look);
  return motions;
}
