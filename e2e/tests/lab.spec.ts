import { readFile } from "node:fs/promises";
import { LabPage, names, transports } from "../support/lab-page.ts";
import { PagesServer } from "../support/pages-server.ts";
import { expect, test } from "../support/test.ts";
import { WireTap } from "../support/wire-tap.ts";

test.describe("the transport lab", () => {
  test("brings the same feed over all five transports, and loses nothing", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.start();
    for (const transport of transports) {
      await lab.brings(transport, 20);
    }
    for (const transport of transports) {
      expect(await lab.figure(transport, "Lost"), names[transport]).toBe("0");
      expect(await lab.figure(transport, "Latency now"), names[transport]).toMatch(/^[\d.]+ ms$/);
    }
    const counts = await Promise.all(transports.map((transport) => lab.number(transport, "Messages")));
    expect(Math.max(...counts) - Math.min(...counts), counts.join()).toBeLessThanOrEqual(3);

    await lab.stop();
    const stopped = await lab.number("socket", "Messages");
    await lab.start();
    await expect.poll(() => lab.number("socket", "Messages"), "it starts from nothing").toBeLessThan(stopped);
  });

  test("counts what really goes over the wire", async ({ page, companion }) => {
    const tap = await WireTap.to(companion.address);
    await page.addInitScript((server) => localStorage.setItem("everwire.server", server), `ws://${tap.host}`);
    const lab = await LabPage.visit(page);
    await lab.only("poll", "socket");
    await lab.start();
    await lab.brings("poll", 30);
    await lab.brings("socket", 30);
    const shown = await lab.number("poll", "A request");
    const { requests, bytes, messages } = tap.passed("/lab/poll");
    expect(requests).toBeGreaterThan(20);
    const seen = (bytes - messages * 100) / requests;
    // They are read at two moments, and the first poll, which finds nothing, is another one.
    expect(Math.abs(shown - seen), `${shown} and ${seen}`).toBeLessThan(0.01 * seen);
    expect(await lab.overhead("socket"), "a frame of up to 125 bytes").toBe(2);

    const poll = page.getByRole("row", { name: /^Polling \d/ });
    const [each, a] = (await poll.getByRole("cell").allInnerTexts()).map(Number);
    expect(a).toBeCloseTo(((each ?? NaN) * 8 * 1000) / 2 ** 20, 1);
    await expect(page.getByRole("row", { name: "Polling, in the paper 871 6.645 66.5 665" })).toBeVisible();
    await expect(page.getByRole("row", { name: "WebSocket, in the paper 2.0 0.015 0.153 1.526" })).toBeVisible();
    await tap.stop();
  });

  test("counts a request that is held once it is answered", async ({ page, companion }) => {
    const tap = await WireTap.to(companion.address);
    await page.addInitScript((server) => localStorage.setItem("everwire.server", server), `ws://${tap.host}`);
    const lab = await LabPage.visit(page);
    await lab.only("long-poll");
    await lab.choose("Messages a second", "1");
    await lab.start();
    await lab.brings("long-poll", 5);
    const shown = await lab.number("long-poll", "A request");
    const { requests, bytes, messages } = tap.passed("/lab/long-poll");
    const seen = (bytes - messages * 100) / requests;
    expect(Math.abs(shown - seen), `${shown} and ${seen}`).toBeLessThan(0.02 * seen);
    await tap.stop();
  });

  test("has least overhead over a WebSocket, more over a stream, and most where each message takes a request", async ({ page }) => {
    const lab = await LabPage.visit(page);
    // Two polls for each message: a poll that finds nothing costs as much as one that does.
    await lab.choose("Poll every", "100 ms");
    await lab.start();
    for (const transport of transports) {
      await lab.brings(transport, 25);
    }
    const overhead = Object.fromEntries(await Promise.all(transports.map(async (each) => [each, await lab.overhead(each)])));
    expect(overhead.socket).toBe(2);
    expect(overhead.stream).toBe(7);
    expect(overhead.events).toBeGreaterThan(overhead.stream);
    expect(overhead.events).toBeLessThan(60);
    expect(overhead["long-poll"]).toBeGreaterThan(300);
    expect(overhead["long-poll"]).toBeLessThan(1500);
    expect(overhead.poll).toBeGreaterThan(overhead["long-poll"] * 1.2);
  });

  test("shows a slow network in the latency, which the server makes on request", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("stream", "events", "socket");
    await lab.choose("Delay", "200 ms");
    await lab.choose("Messages a second", "20");
    await lab.start();
    for (const transport of ["stream", "events", "socket"] as const) {
      await lab.brings(transport, 40);
      const [mean] = (await lab.figure(transport, "Mean ± SD")).split(" ").map(Number);
      expect(mean, names[transport]).toBeGreaterThanOrEqual(199);
      expect(mean, names[transport]).toBeLessThan(320);
      expect(await lab.figure(transport, "Lost")).toBe("0");
    }
    await lab.choose("Delay", "0 ms");
    const mean = async () => Number((await lab.figure("socket", "Mean ± SD")).split(" ")[0]);
    await expect.poll(mean, "without it").toBeLessThan(150);
  });

  test("makes calls in sets, and offers what came of them as tables", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.choose("Poll every", "100 ms");
    await lab.try();
    await expect(lab.progress).toContainText(" left");
    await expect(lab.progress).toHaveText("500 of 500 calls, complete", { timeout: 80_000 });
    await expect(lab.rows).toHaveCount(5);

    const mean = async (transport: (typeof transports)[number]) => Number((await lab.results(transport))[1]);
    expect(await mean("poll"), "half a period, and no less").toBeGreaterThan(30);
    expect(await mean("socket")).toBeLessThan(await mean("poll"));
    expect((await lab.results("socket")).at(-1), "a frame there and one back").toBe("8.0 B");

    const calls = await lab.saved("Save calls (CSV)");
    expect(calls.suggestedFilename()).toMatch(/^everwire-lab-calls-\d{4}-\d\d-\d\d\.csv$/);
    const rows = (await readFile(await calls.path(), "utf8")).trimEnd().split("\r\n");
    expect(rows[0]).toBe("transport,set,call,round_trip_ms");
    expect(rows).toHaveLength(501);
    const times = rows.filter((row) => row.startsWith("WebSocket,")).map((row) => Number(row.split(",")[3]));
    expect(times).toHaveLength(100);
    const ownMean = times.reduce((sum, time) => sum + time, 0) / times.length;
    expect(await mean("socket"), "the table says what the samples say").toBeCloseTo(ownMean, 1);

    const summary = await lab.saved("Save summary (CSV)");
    const lines = (await readFile(await summary.path(), "utf8")).trimEnd().split("\r\n");
    expect(lines).toHaveLength(6);
    expect(lines[5]).toMatch(/^WebSocket,"polled every 100 ms, delay 0 ms, jitter 0 ms, loss 0 %",100,0,/);
  });

  test("ends an experiment on request, and keeps what came of it until then", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("poll");
    await lab.try();
    await expect(lab.progress).toContainText(/^[1-9]\d* of 100 calls, about/);
    await lab.experiment.getByRole("button", { name: "Abort" }).click();
    await expect(lab.progress).toContainText("aborted");
    await expect(lab.rows).toHaveCount(1);
  });

  test("makes as many sets as are asked for, and has every call answered", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("stream", "events");
    await lab.choose("Sets", "100");
    await lab.try();
    await expect(lab.progress).toHaveText("2,000 of 2,000 calls, complete", { timeout: 80_000 });
    for (const transport of ["stream", "events"] as const) {
      expect((await lab.results(transport))[0], names[transport]).toBe("1,000");
    }
  });

  test("keeps the feed and an experiment apart, and says how the experiment ended", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("poll");
    await lab.start();
    await lab.brings("poll", 3);
    const ended = lab.experiment.getByRole("status");
    await expect(ended).toHaveText("");
    await lab.try();
    await expect(lab.progress).toContainText(/^[1-9]\d* of 100 calls, about/);
    const start = lab.controls.getByRole("button", { name: "Start" });
    await expect(start).toBeDisabled();
    await expect(lab.controls).toContainText("The feed waits while an experiment is under way");
    await expect(ended, "what changes all the time is not announced").toHaveText("");
    await lab.experiment.getByRole("button", { name: "Abort" }).click();
    await expect(ended).toHaveText("The experiment is aborted.");
    await expect(start).toBeEnabled();
  });

  test("gives a call up whose request is never answered", async ({ page }) => {
    await page.clock.install();
    const lab = await LabPage.visit(page);
    await lab.only("stream");
    let held = 0;
    await page.route(/\/lab\/echo/, async (route) => {
      held += 1;
      // The server has it and answers over the stream, but the browser never hears that the request is done.
      await (held === 1 ? route.fetch() : route.continue());
    });
    await lab.try();
    await expect.poll(() => held).toBe(1);
    await page.clock.fastForward(20_000);
    await expect(lab.progress).toHaveText("100 of 100 calls, complete", { timeout: 60_000 });
  });

  test("goes on over server-sent events after the server has answered with an error", async ({ page, errors }) => {
    errors.expect(/503/);
    const lab = await LabPage.visit(page);
    await page.route(/\/lab\/events/, (route) => route.fulfill({ status: 503 }), { times: 1 });
    await lab.only("events");
    await lab.start();
    await lab.brings("events", 5);
    expect(await lab.figure("events", "Reconnects")).toBe("1");
    expect(await lab.figure("events", "Lost")).toBe("0");
  });

  test("offers a bad network as soon as the server makes one", async ({ page, companion, errors }) => {
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

  test("draws the distribution, and offers it as a picture", async ({ page }) => {
    const lab = await LabPage.visit(page);
    await lab.only("socket");
    await lab.choose("Messages a second", "20");
    await lab.start();
    await lab.brings("socket", 30);
    await lab.stop();
    await expect(lab.distribution).toContainText(/n = \d+, mean [\d.]+ ms, SD [\d.]+ ms, p50 [\d.]+ ms, p99 [\d.]+ ms/);

    const picture = await lab.saved("Save picture");
    expect(picture.suggestedFilename()).toMatch(/^everwire-lab-socket-\d{4}-\d\d-\d\d\.png$/);
    const png = await readFile(await picture.path());
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
      await lab.brings(transport, 2);
    }
    const dialled = page.waitForEvent("websocket");
    await page.getByRole("link", { name: "Start" }).click();
    const next = await dialled;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    // Two pings of the next page's line: time enough for a dozen polls.
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
      await lab.brings(transport, 10);
      expect(await lab.overhead(transport)).toBeGreaterThan(0);
    }
    await lab.only("long-poll");
    await lab.try();
    await expect(lab.progress).toContainText("complete", { timeout: 60_000 });
    expect((await lab.results("long-poll"))[0], "all answered").toBe("100");
    expect(asked).toContain("POST /lab/echo");
    expect(asked.filter((request) => request.startsWith("OPTIONS"))).toEqual([]);
    await elsewhere.stop();
  });
});

/** The colours that a picture has many pixels of. */
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
