import { EchoPage } from "../support/echo-page.ts";
import { tabTo } from "../support/keyboard.ts";
import { LabPage } from "../support/lab-page.ts";
import { Line } from "../support/line.ts";
import { expect, test } from "../support/test.ts";
import { ThroughputPage } from "../support/throughput-page.ts";
import { TickerPage } from "../support/ticker-page.ts";
import { TrackerPage, deviceAt } from "../support/tracker-page.ts";

test.describe("without a mouse", () => {
  test("the navigation can be skipped", async ({ page }) => {
    await page.goto("/ticker");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the content" });
    await expect(skip).toBeFocused();
    await expect(skip).toBeInViewport();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("main")).toBeFocused();
    await expect(page).toHaveURL(/\/ticker$/);
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.closest("main") !== null)).toBe(true);
  });

  test("the line can be broken, and its menu left", async ({ page, errors }) => {
    errors.expectLostConnections();
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await tabTo(page, line.menuButton);
    await page.keyboard.press("Enter");
    await expect(line.menu).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(line.menu).toBeHidden();
    await expect(line.menuButton).toBeFocused();

    await page.keyboard.press("Enter");
    const refuse = line.menu.getByRole("button", { name: /^Refuse/ });
    await expect(refuse).toBeEnabled();
    await tabTo(page, refuse);
    const refused = page.waitForEvent("websocket", (socket) => socket.url().endsWith("fault=refuse:503"));
    await page.keyboard.press("Enter");
    await refused;
    await line.open();
  });

  test("the echo tester connects, sends, and its log can be read", async ({ page }) => {
    const echo = await EchoPage.visit(page);
    await tabTo(page, echo.address);
    await page.keyboard.press("Enter");
    await echo.line.open();
    await tabTo(page, echo.message);
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("by hand");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect(echo.received("by hand")).toBeVisible();

    await tabTo(page, echo.log);
    await page.keyboard.press("End");
    await expect(echo.rows.last()).toHaveAttribute("aria-selected", "true");
    await page.keyboard.press("ArrowUp");
    await expect(echo.sent("by hand")).toHaveAttribute("aria-selected", "true");
    const selected = page.getByRole("region", { name: "Selected line" });
    await expect(selected.getByLabel("Content")).toHaveText("by hand");
    await page.keyboard.press("Escape");
    await expect(selected).toBeHidden();
  });

  test("the ticker's rate, filter and order can be changed", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    await tabTo(page, ticker.rate);
    await page.keyboard.press("Home");
    await expect(ticker.rate).toHaveAttribute("aria-valuetext", "1 updates a second");
    await page.keyboard.press("End");
    await expect(ticker.rate).toHaveAttribute("aria-valuetext", "20,000 updates a second");
    await tabTo(page, ticker.filter);
    await page.keyboard.type("nv");
    await expect(ticker.rows).toHaveText([/NVDA/]);
    await tabTo(page, ticker.head("Price").getByRole("button"));
    await page.keyboard.press("Enter");
    await expect(ticker.head("Price")).toHaveAttribute("aria-sort", "descending");
  });

  test("what was started can be ended with the same key", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("poll");
    await tabTo(page, lab.controls.getByRole("button", { name: "Start" }));
    await page.keyboard.press("Enter");
    await expect(lab.controls.getByRole("button", { name: "Stop" })).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(lab.controls.getByRole("button", { name: "Start" })).toBeFocused();

    await tabTo(page, lab.experiment.getByRole("button", { name: "Run" }));
    await page.keyboard.press("Enter");
    await expect(lab.experiment.getByRole("button", { name: "Abort" })).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(lab.experiment.getByRole("button", { name: "Run" })).toBeFocused();

    const throughput = await ThroughputPage.visit(page);
    await tabTo(page, throughput.start);
    await page.keyboard.press("Enter");
    await expect(throughput.stop).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(throughput.start).toBeFocused();
  });

  test("a position can be shared and taken back", async ({ visitor }) => {
    const tracker = await TrackerPage.visit(await visitor(deviceAt(52.52, 13.405)));
    await tabTo(tracker.page, tracker.shareButton);
    await tracker.page.keyboard.press("Enter");
    await expect(tracker.people).toHaveCount(1);
    await tabTo(tracker.page, tracker.people.getByRole("button"));
    await tracker.page.keyboard.press("Enter");
    await expect(tracker.people.getByRole("button")).toHaveAttribute("aria-pressed", "true");
    await tabTo(tracker.page, tracker.stopButton);
    await tracker.page.keyboard.press("Enter");
    await expect(tracker.people).toHaveCount(0);
  });
});

test("nothing moves for who has asked for calm", async ({ page }) => {
  const moving = () =>
    page.evaluate(() => document.getAnimations().some((animation) => animation.effect?.getTiming().iterations === Infinity));
  // A line that is being dialled runs on and on.
  await page.routeWebSocket(/\/everwire/, () => new Promise(() => {}));
  await page.goto("/");
  await expect(new Line(page).state).toHaveText("Connecting");
  await expect.poll(moving).toBe(true);

  await page.emulateMedia({ reducedMotion: "reduce" });
  await expect.poll(moving).toBe(false);
});
