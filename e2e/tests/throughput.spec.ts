import { tabTo } from "../support/keyboard.ts";
import { tryLooks } from "../support/looks.ts";
import { connectionsOf, receivedBy } from "../support/metrics.ts";
import { expect, test } from "../support/test.ts";
import { ThroughputPage } from "../support/throughput-page.ts";

test.describe("the throughput check", () => {
  test("opens 200 connections, counts what the server counts, and closes them", async ({ page, companion }) => {
    const throughput = await ThroughputPage.visit(page);
    await throughput.run(200);
    await expect.poll(() => connectionsOf(companion.address, "/echo")).toBe(200);
    await expect.poll(() => throughput.number("Pings per second")).toBeGreaterThan(100);
    await expect(throughput.figure("Round trip, p50")).toContainText(/\d m?s/);
    await expect(throughput.figure("Round trip, p99")).toContainText(/\d m?s/);
    await expect(throughput.figure("Each connection")).toContainText(/\d – \d/);
    // The page is busy but still responds.
    await page.getByRole("button", { name: /^Use (dark|light) colours/ }).click({ timeout: 30_000 });

    await throughput.stop.click();
    await expect(throughput.start).toBeVisible();
    await expect.poll(() => connectionsOf(companion.address, "/echo")).toBe(0);
    const [counted, received] = [await throughput.total(), await receivedBy(companion.address, "/echo")];
    expect(counted).toBeGreaterThan(200);
    // The difference: the heartbeat pings of the page's own connection, and the pings in flight at the end.
    expect(Math.abs(received - counted), `${counted} of ${received}`).toBeLessThanOrEqual(250);
  });

  test("closes everything when the page is left", async ({ page, companion }) => {
    const throughput = await ThroughputPage.visit(page);
    await throughput.run(50);
    await expect.poll(() => connectionsOf(companion.address, "/echo")).toBe(50);
    await page.getByRole("navigation", { name: "Demos" }).getByRole("link", { name: "Start" }).click();
    await expect.poll(() => connectionsOf(companion.address, "/echo")).toBe(0);
  });

  test("keeps several pings in flight, and starts each run from zero", async ({ page, companion }) => {
    const throughput = await ThroughputPage.visit(page);
    const ends = async () => {
      await throughput.stop.click();
      await expect.poll(() => connectionsOf(companion.address, "/echo")).toBe(0);
      return receivedBy(companion.address, "/echo");
    };
    await throughput.run(1);
    await expect.poll(() => throughput.total()).toBeGreaterThan(1_000);
    const before = await ends();
    await page.getByLabel("Pings in flight").fill("10");
    await throughput.run(2);
    await expect.poll(() => throughput.number("Each connection")).toBeGreaterThan(0);
    const after = await ends();
    expect(await throughput.total(), "the second run starts from zero").toBeLessThanOrEqual(after - before);
  });

  test("shows which connections failed and why, and recovers", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const throughput = await ThroughputPage.visit(page);
    await throughput.run(5);
    await companion.kill();
    const failures = page.getByRole("region", { name: "Failed connections" });
    await expect(failures).toContainText("reconnecting");
    await expect(failures).toContainText("The connection broke off.");
    await companion.restart();
    await expect.poll(() => throughput.number("Open connections"), { timeout: 60_000 }).toBe(5);
    await expect(failures).toContainText("None.");
  });

  test("continues on the other connections when the first is cut", async ({ page, errors }) => {
    errors.expectLostConnections();
    const throughput = await ThroughputPage.visit(page);
    await throughput.run(3);
    const shown = await throughput.follow();
    await throughput.line.break("Refuse");
    // It may reconnect within half a second.
    const open = async () => (await shown()).map(({ open }) => open).join(" ");
    await expect.poll(open, { timeout: 60_000 }).toMatch(/\b2( 2)* 3/);
    const seen = await shown();
    const down = seen.findIndex(({ open }) => open === 2);
    const back = seen.findIndex(({ open }, index) => index > down && open === 3);
    expect(seen[back]?.total, "pings of the others in the meantime").toBeGreaterThan(seen[down]?.total ?? NaN);
  });

  test("accepts only a load that a page can handle", async ({ page }) => {
    const throughput = await ThroughputPage.visit(page);
    await throughput.connections.fill("201");
    await expect(page.getByText("Open from 1 to 200 connections.")).toBeVisible();
    await expect(throughput.start).toBeDisabled();
    await throughput.connections.fill("200");
    await page.getByLabel("Pings in flight").fill("100");
    await page.getByLabel("Bytes per ping").fill("65536");
    await expect(page.getByText("That would be 1.3 GB in flight at once. The limit is 8.0 MB.")).toBeVisible();
    await expect(throughput.start).toBeDisabled();
    await page.getByLabel("Bytes per ping").fill("16");
    await page.getByRole("button", { name: "50 connections", exact: true }).click();
    await expect(throughput.connections).toHaveValue("50");
    const slider = page.getByRole("slider", { name: "Connections, as a slider" });
    await tabTo(page, slider);
    await page.keyboard.press("End");
    await expect(throughput.connections).toHaveValue("200");
    await expect(throughput.start).toBeEnabled();
  });

  test("cuts no label of its charts before there is anything to draw", async ({ page }) => {
    await page.addInitScript(() => {
      const cut: string[] = [];
      const draw = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
        const { e } = this.getTransform();
        const { actualBoundingBoxLeft, actualBoundingBoxRight } = this.measureText(text);
        if (/\d/.test(text) && (e + x - actualBoundingBoxLeft < 0 || e + x + actualBoundingBoxRight > this.canvas.width)) {
          cut.push(text);
        }
        drawn.push(text);
        draw.call(this, text, x, y, ...rest);
      };
      const drawn: string[] = [];
      Object.assign(globalThis, { labels: { cut, drawn } });
    });
    await ThroughputPage.visit(page);
    await page.waitForFunction(() => (globalThis as unknown as { labels: { drawn: string[] } }).labels.drawn.includes("-60"));
    expect(await page.evaluate(() => (globalThis as unknown as { labels: { cut: string[] } }).labels.cut)).toEqual([]);
  });

  test("is usable by everyone on every device", async ({ page }) => {
    const throughput = await ThroughputPage.visit(page);
    await throughput.run(50);
    await expect.poll(() => throughput.total()).toBeGreaterThan(1_000);
    await tryLooks(page, "throughput");
  });
});
