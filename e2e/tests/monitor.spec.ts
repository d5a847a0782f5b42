import { withoutClipboard } from "../support/clipboard.ts";
import { tabTo } from "../support/keyboard.ts";
import { recovery } from "../support/line.ts";
import { linesOf } from "../support/lines.ts";
import { tryLooks } from "../support/looks.ts";
import { MonitorPage, type Process } from "../support/monitor-page.ts";
import { installClock, pauseIn } from "../support/page-time.ts";
import { kept } from "../support/screenshots.ts";
import { expect, test } from "../support/test.ts";

test.describe("a server that was not asked to tell", () => {
  test("says what to do, and is looked at again on request", async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await installClock(page);
    const monitor = new MonitorPage(page);
    await page.goto("/monitor");
    await expect(monitor.off.getByRole("status")).toContainText("start the server with --monitor");
    // It says so for two seconds, which a busy machine may not look at.
    await pauseIn(page, 10_000);
    await monitor.off.getByRole("button", { name: "Copy" }).click();
    await expect(monitor.off.getByRole("button", { name: "Copied" })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("everwire-companion -- --monitor");
    await page.clock.resume();

    const questions = () => linesOf(monitor.sockets.sent).filter((line) => line.startsWith("sub monitor ")).length;
    const before = questions();
    await monitor.off.getByRole("button", { name: "Look again" }).click();
    await expect.poll(questions).toBe(before + 1);
    await expect(monitor.line.state, "the connection carries other channels").toHaveText("Connected");
    await expect(monitor.off).toBeVisible();
  });

  test("does not offer to copy where a page may not", async ({ page }) => {
    await page.addInitScript(withoutClipboard);
    await page.goto("/monitor");
    const monitor = new MonitorPage(page);
    await expect(monitor.off.getByRole("button", { name: "Look again" })).toBeVisible();
    await expect(monitor.off.getByRole("button", { name: "Copy" })).toHaveCount(0);
    await expect(monitor.off).toContainText("everwire-companion -- --monitor");
  });

  test("is explained on every device", async ({ page }) => {
    await page.goto("/monitor");
    await expect(new MonitorPage(page).off).toBeVisible();
    await tryLooks(page, "monitor-off");
  });
});

test.describe("the server monitor", () => {
  test.use({ serverFlags: ["--monitor"] });

  test("moves each second", async ({ page }) => {
    const monitor = await MonitorPage.visit(page);
    const before = await monitor.picture("Processor");
    await expect.poll(() => monitor.picture("Processor")).not.toBe(before);
    await expect(monitor.card("Memory")).toContainText(/of \d+(\.\d)? [GM]iB/);
    await expect(page.getByRole("region", { name: "Counters of the kernel" })).toContainText("switches of context");
  });

  test("sorts the processes by every column, from both ends", async ({ page }) => {
    const monitor = await MonitorPage.visit(page);
    await expect(monitor.head("CPU %")).toHaveAttribute("aria-sort", "descending");
    const isSorted = (by: (one: Process, other: Process) => number) => async () => {
      const rows = await monitor.rows();
      return rows.length > 1 && rows.every((row, index) => index === 0 || by(rows[index - 1] ?? row, row) <= 0);
    };
    await expect.poll(isSorted((one, other) => other.cpu - one.cpu)).toBe(true);

    const pid = monitor.head("PID");
    await pid.getByRole("button").click();
    await expect(pid).toHaveAttribute("aria-sort", "ascending");
    await expect(monitor.head("CPU %")).toHaveAttribute("aria-sort", "none");
    await expect.poll(isSorted((one, other) => one.pid - other.pid)).toBe(true);
    await tabTo(page, pid.getByRole("button"));
    await page.keyboard.press("Enter");
    await expect(pid).toHaveAttribute("aria-sort", "descending");
    await expect.poll(isSorted((one, other) => other.pid - one.pid)).toBe(true);

    for (const column of ["Name", "User", "State", "Memory", "Time"]) {
      const head = monitor.head(column);
      await head.getByRole("button").click();
      await expect(head).toHaveAttribute("aria-sort", /ending$/);
    }
  });

  test("sorts by a list on a phone, whose table has no heads", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    const monitor = await MonitorPage.visit(page);
    await page.getByLabel("Sort by").selectOption("PID");
    const pids = async () => (await monitor.rows()).map(({ pid }) => pid);
    await expect.poll(async () => (await pids()).every((pid, index, all) => index === 0 || pid > (all[index - 1] ?? 0))).toBe(true);
  });

  test("shows the visitor's own load where it belongs", async ({ page, visitor, companion }) => {
    const monitor = await MonitorPage.visit(page);
    await expect.poll(() => monitor.endpoint("/echo")).toEqual({ open: 0, messagesIn: 0, messagesOut: 0 });

    const other = await visitor();
    await other.goto(companion.address);
    await other.evaluate((address) => {
      const socket = new WebSocket(address);
      socket.onopen = () => socket.send("ping");
      socket.onmessage = () => socket.send("ping");
      Object.assign(globalThis, { socket });
    }, `${companion.address.replace("http", "ws")}/echo`);
    // Each second has figures of its own, and a busy machine has seconds in which little happens.
    await expect(async () => {
      const echo = await monitor.endpoint("/echo");
      expect(echo.open).toBe(1);
      expect(echo.messagesIn).toBeGreaterThan(50);
      expect(echo.messagesOut / echo.messagesIn).toBeCloseTo(1, 1);
    }).toPass({ timeout: 20_000 });
    await expect.poll(() => monitor.number("Messages a second")).toBeGreaterThan(50);
    await expect.poll(() => monitor.number("Connections")).toBe(3);
    await expect(page.getByRole("table", { name: "Workers" }).locator("tbody tr").first()).toBeVisible();
  });

  test("has its past at once when the page is loaded anew", async ({ page }) => {
    const monitor = await MonitorPage.visit(page);
    const heard: (string | Buffer)[] = [];
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => heard.push(payload)));
    await page.reload();
    await monitor.lives();
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    const lines = linesOf(heard);
    const end = lines.findIndex((line) => /^pos monitor .*live=1/.test(line));
    const history = lines.slice(0, end).filter((line) => line.startsWith("msg monitor "));
    expect(history.length).toBeGreaterThan(0);
  });

  test("comes back by itself after a crash, with a gap", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const monitor = await MonitorPage.visit(page);
    // One point is no line.
    for (const _ of [1, 2]) {
      const picture = await monitor.picture("Memory");
      await expect.poll(() => monitor.picture("Memory")).not.toBe(picture);
    }
    await companion.kill();
    await monitor.line.down();
    await expect(monitor.card("Processor"), "what was known stays").toContainText(/\d+ %/);
    const before = await monitor.picture("Memory");
    await expect.poll(() => monitor.picture("Memory"), "time goes on").not.toBe(before);
    await companion.restart();
    await expect(monitor.line.state).toHaveText("Connected", recovery);
    await monitor.lives();
  });

  test("is for everybody on every device", async ({ page }) => {
    // A picture that is kept shows more than the first seconds.
    const enough = kept ? 200 : 3;
    test.setTimeout(90_000 + enough * 1_200);
    let samples = 0;
    page.on("websocket", (socket) => socket.on("framereceived", () => (samples += 1)));
    const monitor = await MonitorPage.visit(page);
    await expect.poll(() => samples, { timeout: 20_000 + enough * 1_100 }).toBeGreaterThan(enough);
    await expect(monitor.line.detail).toHaveText(/m?s$/);
    await tryLooks(page, "monitor");
  });
});
