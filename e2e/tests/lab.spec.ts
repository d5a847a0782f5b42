import { readFile } from "node:fs/promises";
import { type Page } from "@playwright/test";
import { LabPage, type Transport, names, transports } from "../support/lab-page.ts";
import { drawLongDelays } from "../support/lot.ts";
import { installClock } from "../support/page-time.ts";
import { PagesServer } from "../support/pages-server.ts";
import { expect, test } from "../support/test.ts";
import { WireTap } from "../support/wire-tap.ts";

test.describe("the transport lab", () => {
  test("receives the same feed over all five transports without a loss", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.start();
    for (const transport of transports) {
      await lab.receives(transport, 20);
    }
    for (const transport of transports) {
      expect(await lab.figure(transport, "Lost"), names[transport]).toBe("0");
      expect(await lab.figure(transport, "Latency now"), names[transport]).toMatch(/^[\d.]+ ms$/);
    }
    // A transport that was connected earlier has a few more messages, which weigh less over time.
    const evenness = async () => {
      const counts = await lab.counts();
      expect(counts).toHaveLength(transports.length);
      return Math.min(...counts) / Math.max(...counts);
    };
    await expect.poll(evenness, "the lowest count relative to the highest").toBeGreaterThan(0.9);

    await lab.stop();
    const stopped = await lab.number("socket", "Messages");
    // So slow that the count stays low for long enough to be read.
    await lab.choose("Messages per second", "1");
    await lab.start();
    await expect.poll(() => lab.number("socket", "Messages"), "the count starts over").toBeLessThan(stopped);
  });

  test("shows dashes and starts nothing while the server is away", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await drawLongDelays(page);
    const lab = await LabPage.visit(page);
    const [start, run] = [lab.controls.getByRole("button", { name: "Start" }), lab.experiment.getByRole("button", { name: "Run" })];
    await companion.kill();
    await lab.line.down();
    await expect(start).toBeDisabled();
    await expect(run).toBeDisabled();
    for (const transport of transports) {
      const shown = await lab.card(transport).getByRole("definition").allInnerTexts();
      expect(new Set(shown), names[transport]).toEqual(new Set(["–"]));
    }
    await companion.restart();
    await lab.line.now.click();
    await expect(start).toBeEnabled();
    await expect(run).toBeEnabled();
  });

  test("counts the bytes that really pass through the connection", async ({ page, companion }) => {
    const tap = await WireTap.to(companion.address);
    await page.addInitScript((server) => localStorage.setItem("everwire.server", server), `ws://${tap.host}`);
    const lab = await LabPage.visit(page);
    await lab.only("poll", "socket");
    await lab.start();
    await lab.receives("poll", 30);
    await lab.receives("socket", 30);
    await expect.poll(() => tap.passed("/lab/poll").requests).toBeGreaterThan(20);
    // The two numbers are read at different moments, and the first poll returns nothing.
    await expect.poll(() => deviation(lab, tap, "poll")).toBeLessThan(0.01);
    await expect.poll(() => lab.overhead("socket"), "a frame of up to 125 bytes").toBe(2);

    const poll = page.getByRole("row", { name: /^Polling \d/ });
    await expect(poll).toBeVisible();
    const [each, a] = (await poll.getByRole("cell").allInnerTexts()).map(Number);
    expect(a).toBeCloseTo(((each ?? NaN) * 8 * 1000) / 2 ** 20, 1);
    await expect(page.getByRole("row", { name: "Polling, in the paper 871 6.645 66.5 665" })).toBeVisible();
    await expect(page.getByRole("row", { name: "WebSocket, in the paper 2.0 0.015 0.153 1.526" })).toBeVisible();
    await stop(tap, page);
  });

  test("counts a held request once it is answered", async ({ page, companion }) => {
    const tap = await WireTap.to(companion.address);
    await page.addInitScript((server) => localStorage.setItem("everwire.server", server), `ws://${tap.host}`);
    const lab = await LabPage.visit(page);
    await lab.only("long-poll");
    await lab.choose("Messages per second", "1");
    await lab.start();
    await lab.receives("long-poll", 5);
    await expect.poll(() => deviation(lab, tap, "long-poll")).toBeLessThan(0.02);
    await stop(tap, page);
  });

  test("has the least overhead over a WebSocket, more over a stream, and the most where each message takes a request", async ({ page }) => {
    const lab = await LabPage.visit(page);
    // Five polls per message, or at least two where a poll is slow: a poll that returns nothing costs as much as any other.
    await lab.choose("Poll every", "100 ms");
    await lab.choose("Messages per second", "2");
    await lab.start();
    for (const transport of transports) {
      await lab.receives(transport, 10);
    }
    await expect.poll(() => lab.overhead("socket")).toBe(2);
    await expect.poll(() => lab.overhead("stream"), "a chunk of its own for each message").toBe(7);
    const overhead = Object.fromEntries(await Promise.all(transports.map(async (each) => [each, await lab.overhead(each)])));
    expect(overhead.events).toBeGreaterThan(overhead.stream);
    expect(overhead.events).toBeLessThan(60);
    expect(overhead["long-poll"]).toBeGreaterThan(300);
    expect(overhead["long-poll"]).toBeLessThan(1500);
    expect(overhead.poll).toBeGreaterThan(overhead["long-poll"] * 1.2);
  });

  test("shows the latency of a slow network that the server simulates on request", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("stream", "events", "socket");
    await lab.choose("Delay", "500 ms");
    await lab.choose("Messages per second", "20");
    await lab.start();
    const mean = async (transport: Transport) => Number((await lab.figure(transport, "Mean ± SD")).split(" ")[0]);
    for (const transport of ["stream", "events", "socket"] as const) {
      await lab.receives(transport, 40);
      // The server's clock is known to half a round trip, and a busy page reads late. If messages queued behind each other, they
      // would be ten seconds late.
      expect(await mean(transport), names[transport]).toBeGreaterThan(250);
      expect(await mean(transport), names[transport]).toBeLessThan(2_500);
      expect(await lab.figure(transport, "Lost")).toBe("0");
    }
    await lab.choose("Delay", "0 ms");
    await expect.poll(() => mean("socket"), "without the delay").toBeLessThan(250);
  });

  test("makes calls in sets, and saves the results as tables", async ({ page }) => {
    // Five hundred calls, a hundred of which wait for a poll.
    test.setTimeout(180_000);
    const lab = await LabPage.visit(page);
    await lab.choose("Poll every", "100 ms");
    await lab.run();
    await expect(lab.progress).toContainText(" left");
    await expect(lab.progress).toHaveText("500 of 500 calls, complete", { timeout: 150_000 });
    await expect(lab.rows).toHaveCount(5);

    const mean = async (transport: Transport) => Number((await lab.results(transport))[1]);
    expect(await mean("poll"), "at least about half a polling interval").toBeGreaterThan(30);
    expect(await mean("socket")).toBeLessThan(await mean("poll"));
    // The server counts a message after its last byte was sent, so the last one of a set may be missing.
    expect(Number.parseFloat((await lab.results("socket")).at(-1) ?? ""), "a frame in each direction").toBeCloseTo(8, 0);

    const calls = await lab.saved("Save calls (CSV)");
    expect(calls.suggestedFilename()).toMatch(/^everwire-lab-calls-\d{4}-\d\d-\d\d\.csv$/);
    const rows = (await readFile(await calls.path(), "utf8")).trimEnd().split("\r\n");
    expect(rows[0]).toBe("transport,set,call,round_trip_ms");
    expect(rows).toHaveLength(501);
    const times = rows.filter((row) => row.startsWith("WebSocket,")).map((row) => Number(row.split(",")[3]));
    expect(times).toHaveLength(100);
    const ownMean = times.reduce((sum, time) => sum + time, 0) / times.length;
    // Within the digits that are shown.
    const rounding = Math.max(0.006, 0.006 * ownMean);
    expect(Math.abs((await mean("socket")) - ownMean), "the table matches the samples").toBeLessThan(rounding);

    const summary = await lab.saved("Save summary (CSV)");
    const lines = (await readFile(await summary.path(), "utf8")).trimEnd().split("\r\n");
    expect(lines).toHaveLength(6);
    expect(lines[5]).toMatch(/^WebSocket,"polled every 100 ms, delay 0 ms, jitter 0 ms, loss 0 %",100,0,/);
  });

  test("stops an experiment on request, and keeps its results", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("poll");
    await lab.run();
    await expect(lab.progress).toContainText(/^[1-9]\d* of 100 calls, about/);
    await lab.experiment.getByRole("button", { name: "Abort" }).click();
    await expect(lab.progress).toContainText("aborted");
    await expect(lab.rows).toHaveCount(1);
  });

  test("makes a hundred sets, and gets an answer to every call", async ({ page }) => {
    // Each set opens a connection, which takes longer than a call: one call per set is enough.
    test.setTimeout(180_000);
    const lab = await LabPage.visit(page);
    await lab.only("stream", "events");
    await lab.choose("Calls per set", "1");
    await lab.choose("Sets", "100");
    await lab.run();
    await expect(lab.progress).toHaveText("200 of 200 calls, complete", { timeout: 150_000 });
    for (const transport of ["stream", "events"] as const) {
      expect((await lab.results(transport))[0], names[transport]).toBe("100");
    }
  });

  test("keeps the feed and an experiment apart, and announces how the experiment ended", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("poll");
    await lab.start();
    await lab.receives("poll", 3);
    const ended = lab.experiment.getByRole("status");
    await expect(ended).toHaveText("");
    await lab.run();
    await expect(lab.progress).toContainText(/^[1-9]\d* of 100 calls, about/);
    const start = lab.controls.getByRole("button", { name: "Start" });
    await expect(start).toBeDisabled();
    await expect(lab.controls).toContainText("The feed is off while an experiment is running");
    await expect(ended, "the progress is not announced").toHaveText("");
    await lab.experiment.getByRole("button", { name: "Abort" }).click();
    await expect(ended).toHaveText("Experiment aborted.");
    await expect(start).toBeEnabled();
  });

  test("gives up a call whose request is never answered", async ({ page }) => {
    await installClock(page);
    const lab = await LabPage.visit(page);
    await lab.only("stream");
    let held = 0;
    await page.route(/\/lab\/echo/, async (route) => {
      held += 1;
      // The server gets the call and answers over the stream, but the browser never gets the response to the request.
      await (held === 1 ? route.fetch() : route.continue());
    });
    await lab.run();
    await expect.poll(() => held).toBe(1);
    await page.clock.fastForward(20_000);
    await expect(lab.progress).toHaveText("100 of 100 calls, complete", { timeout: 60_000 });
  });

  test("continues with server-sent events after an error response", async ({ page, errors }) => {
    errors.expect(/503/);
    const lab = await LabPage.visit(page);
    await page.route(/\/lab\/events/, (route) => route.fulfill({ status: 503 }), { times: 1 });
    await lab.only("events");
    await lab.start();
    await lab.receives("events", 5);
    expect(await lab.figure("events", "Reconnects")).toBe("1");
    expect(await lab.figure("events", "Lost")).toBe("0");
  });

  test("offers a bad network as soon as the server can simulate one", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await companion.kill();
    await companion.restart({ faults: false });
    const lab = await LabPage.visit(page);
    await expect(lab.controls).toContainText("Start it with --faults");
    const delay = page.getByRole("combobox", { name: "Delay", exact: true });
    await expect(delay).toBeDisabled();
    await companion.kill();
    await lab.line.down();
    await companion.restart();
    await expect(delay).toBeEnabled({ timeout: 60_000 });
  });

  test("draws the distribution, and saves it as an image", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("socket");
    await lab.choose("Messages per second", "20");
    await lab.start();
    await lab.receives("socket", 30);
    await lab.stop();
    await expect(lab.distribution).toContainText(/n = \d+, mean [\d.]+ ms, SD [\d.]+ ms, p50 [\d.]+ ms, p99 [\d.]+ ms/);

    const image = await lab.saved("Save image");
    expect(image.suggestedFilename()).toMatch(/^everwire-lab-socket-\d{4}-\d\d-\d\d\.png$/);
    const png = await readFile(await image.path());
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    const colors = await page.evaluate(colorsIn, `data:image/png;base64,${png.toString("base64")}`);
    const color = (token: string) => page.evaluate((token) => getComputedStyle(document.body).getPropertyValue(token).trim(), token);
    expect(colors, "bars").toContain(await color("--accent"));
    expect(colors, "the heading").toContain(await color("--ink"));
  });

  test("leaves nothing running behind", async ({ page, companion }) => {
    const lab = await LabPage.visit(page);
    await lab.start();
    for (const transport of transports) {
      await lab.receives(transport, 2);
    }
    const dialled = page.waitForEvent("websocket");
    await page.getByRole("link", { name: "Start" }).click();
    const next = await dialled;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    // Two pings of the next page's connection: time enough for a dozen polls.
    await next.waitForEvent("framesent");
    await next.waitForEvent("framesent");
    expect(requests).toEqual([]);
    const open = async () => {
      const metrics = await (await fetch(`${companion.address}/metrics`)).text();
      return /everwire_connections\{endpoint="\/lab\/socket"\} (\d+)/.exec(metrics)?.[1];
    };
    await expect.poll(open, "open sockets").toBe("0");
  });

  test("works on pages that another port serves, without a preflight", async ({ page, companion }) => {
    const elsewhere = await PagesServer.start();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.addInitScript((server) => localStorage.setItem("everwire.server", server), companion.address.replace("http", "ws"));
    await page.goto(`${elsewhere.address}/lab`);
    const lab = new LabPage(page);
    await lab.line.open();
    await lab.start();
    for (const transport of transports) {
      await lab.receives(transport, 10);
      expect(await lab.overhead(transport)).toBeGreaterThan(0);
    }
    await lab.only("long-poll");
    await lab.run();
    await expect(lab.progress).toContainText("complete", { timeout: 60_000 });
    expect((await lab.results("long-poll"))[0], "all answered").toBe("100");
    expect(asked).toContain("POST /lab/echo");
    expect(asked.filter((request) => request.startsWith("OPTIONS"))).toEqual([]);
    await elsewhere.stop();
  });
});

/** The relative difference of the page's figure per request from the bytes that passed. Messages have 100 bytes. */
async function deviation(lab: LabPage, tap: WireTap, transport: "poll" | "long-poll"): Promise<number> {
  const shown = await lab.number(transport, "Per request");
  const { requests, bytes, messages } = tap.passed(`/lab/${transport}`);
  return Math.abs(shown / ((bytes - messages * 100) / requests) - 1);
}

/** Stops a tap after its page is closed, which would report errors otherwise. */
async function stop(tap: WireTap, page: Page): Promise<void> {
  await page.close();
  await tap.stop();
}

/** The colours that an image has many pixels of. */
async function colorsIn(url: string): Promise<string[]> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d");
  if (context === null) {
    return [];
  }
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const count = new Map<string, number>();
  for (let at = 0; at < data.length; at += 4) {
    const color = `#${[...data.subarray(at, at + 3)].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
    count.set(color, (count.get(color) ?? 0) + 1);
  }
  return [...count].filter(([, pixels]) => pixels > 20).map(([color]) => color);
}
