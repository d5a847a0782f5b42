import { EchoPage } from "../support/echo-page.ts";
import { LabPage } from "../support/lab-page.ts";
import { Line } from "../support/line.ts";
import { drawLongDelays } from "../support/lot.ts";
import { demos, flags } from "../support/pages.ts";
import { Shifts } from "../support/shifts.ts";
import { expect, test } from "../support/test.ts";
import { ThroughputPage } from "../support/throughput-page.ts";

test.use({ serverFlags: flags });

const desktop = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };
/** A small phone, a usual one, a tablet, a desktop. */
const widths = [320, 390, 768, 1440];

test.describe("while the line is down", () => {
  for (const { name, visit } of [...demos, { name: "lab", visit: LabPage.visit }]) {
    test(`nothing moves on the ${name} page, and everything stays within it`, async ({ page, companion, errors }) => {
      errors.expectLostConnections();
      errors.expect(/^Failed to load resource/);
      await drawLongDelays(page);
      const line = new Line(page);
      for (const viewport of [desktop, phone]) {
        await test.step(`${viewport.width} px: no shift of the layout`, async () => {
          await page.setViewportSize(viewport);
          await visit(page);
          await expect(line.detail).toHaveText(/m?s$/);
          const shifts = await Shifts.watch(page);
          await companion.kill();
          await line.down();
          await expect(line.trouble).toBeVisible();
          expect(await shifts.seen()).toEqual([]);
        });
        for (const width of widths.filter((width) => width > 500 === viewport.width > 500)) {
          await test.step(`${width} px: the whole line can be seen and pressed`, async () => {
            await page.setViewportSize({ ...viewport, width });
            const wider = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            await expect.poll(wider, "pixels beyond the screen's edge").toBeLessThanOrEqual(0);
            const least = width < 500 ? 44 : 24;
            await expect(line.now).toBeVisible();
            // All in the same moment: an attempt takes the button for the next one away.
            const boxes = await page.locator(".line-bar").getByRole("button").evaluateAll((buttons) =>
              buttons.map((button) => ({ name: button.textContent, ...button.getBoundingClientRect().toJSON() }) as DOMRect & { name: string }),
            );
            for (const { name, height, width: wide, right } of boxes) {
              expect(height, name).toBeGreaterThanOrEqual(least);
              expect(wide, name).toBeGreaterThanOrEqual(least);
              expect(right, name).toBeLessThanOrEqual(width);
            }
            const reason = await line.trouble.boundingBox();
            for (const tip of await page.locator(".wire-tip").all()) {
              const end = await tip.evaluate((tip) => tip.getBoundingClientRect().bottom);
              expect(end, "the wire stays above the reason").toBeLessThanOrEqual(reason?.y ?? NaN);
            }
          });
        }
        await companion.restart();
      }
    });
  }
});

test.describe("the line says", () => {
  test("which attempt comes when, and what is likely, in place of a number that every failure has", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await companion.kill();
    await expect(line.trouble).toContainText("The connection broke off");
    await expect(line.detail).toHaveText(/^attempt 1 in \d+ s$/);
    await line.now.click();
    await expect(line.trouble).toHaveText(/^127\.0\.0\.1:\d+ does not accept the connection\. It may be down, restarting or full\.$/);
    await expect(line.detail).toHaveText(/^attempt \d in \d+ s$/);
  });

  test("what to check about an address that never worked", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    const echo = await EchoPage.visit(page);
    const host = companion.address.replace("http://", "");
    for (const [address, check] of [
      [`ws://${host}/ehco`, `No WebSocket answers at ${host}/ehco. Check the server and the path, or try wss.`],
      [`wss://${host}/echo`, "or try ws without TLS"],
      ["ws://127.0.0.1:25/", "Browsers do not connect to port 25"],
    ] as const) {
      await echo.address.fill(address);
      await echo.connectButton.click();
      await expect(echo.line.trouble).toContainText(check);
      await expect(echo.line.trouble).not.toContainText("1006");
      await echo.disconnectButton.click();
    }
  });

  test("that the device is offline, without a countdown", async ({ page, context, errors }) => {
    errors.expectLostConnections();
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await line.goOffline(context);
    await expect(line.trouble).toHaveText("This device is offline. It reconnects as soon as the network is back.");
    await expect(line.detail).toHaveText("no network");
    await expect(line.now).toBeVisible();
    await context.setOffline(false);
    await line.open();
  });

  test("that an end was a normal one", async ({ page }) => {
    const echo = await EchoPage.connected(page, "hello");
    await echo.send("Zoë");
    await expect(echo.line.state).toHaveText("Closed");
    await expect(echo.line.trouble).toHaveText(/^The server ended the connection/);
    await expect(page.locator(".line")).toHaveAttribute("data-wire", "at-rest");
  });

  test("nothing of a failure before anything was tried", async ({ page }) => {
    for (const visit of [EchoPage.visit, ThroughputPage.visit]) {
      const { line } = await visit(page);
      await expect(line.state).toHaveText("Not connected");
      await expect(page.locator(".line")).toHaveAttribute("data-wire", "at-rest");
      await expect(line.trouble).toHaveCount(0);
      await line.menuButton.click();
      await expect(line.menu.getByRole("status")).toHaveText("There is nothing to break yet. Connect first.");
      await expect(line.menu.getByRole("button", { name: /^Cut the connection/ })).toBeDisabled();
    }
  });
});

test("the menu that breaks the line fits the screen", async ({ page }) => {
  for (const [viewport, isWhole] of [[desktop, true], [phone, true], [{ width: 1280, height: 720 }, false], [{ width: 844, height: 390 }, false]] as const) {
    await page.setViewportSize(viewport);
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await line.menuButton.click();
    await expect(line.menu.getByRole("button", { name: /^Cut the connection/ })).toBeEnabled();
    const box = await line.menu.boundingBox();
    expect((box?.y ?? NaN) + (box?.height ?? NaN)).toBeLessThanOrEqual(viewport.height);
    expect(box?.y).toBeGreaterThanOrEqual(0);
    const hidden = await line.menu.evaluate((menu) => menu.scrollHeight - menu.clientHeight);
    if (isWhole) {
      expect(hidden, "pixels that have to be scrolled to").toBeLessThanOrEqual(0);
    }
  }
});
