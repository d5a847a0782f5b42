import { expectAccessible } from "../support/accessibility.ts";
import { EchoPage } from "../support/echo-page.ts";
import { Line, recovery } from "../support/line.ts";
import { Phases } from "../support/phases.ts";
import { StartPage } from "../support/start-page.ts";
import { expect, test } from "../support/test.ts";

/** Names in the navigation, and what stands over the pages. */
const pages = [
  ["Chat", "Chat"],
  ["Live", "Trading floor"],
  ["Lab", "Transport lab"],
  ["Throughput", "Throughput check"],
  ["Files", "File transfer"],
  ["Monitor", "Server monitor"],
  ["Echo", "Echo tester"],
  ["Ticker", "Stock ticker"],
  ["Tracker", "Geolocation tracker"],
] as const;

test.describe("the start page", () => {
  test("comes from the companion server, also from one that has crashed and is back", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    await page.goto("/");
    await expect(page).toHaveTitle(/Everwire/);
    // The page has fetched all that it needs: a crash in the middle of that would fail the loading itself.
    await new Line(page).open();

    await companion.kill();
    await expect(page.request.get("/")).rejects.toThrow(/ECONNREFUSED/);

    await companion.restart();
    await page.reload();
    await expect(page).toHaveTitle(/Everwire/);
    await new Line(page).open();
  });

  test.describe("with a server that is started again", () => {
    test.use({ supervised: true });

    test("delivers every message once while it breaks its own connection, and says so", async ({ page, errors }) => {
      errors.expectLostConnections();
      const start = await StartPage.visit(page, 12);
      await start.counter.getByRole("button", { name: "Torture for 12 seconds" }).click();
      await expect(start.note).toHaveText("Breaking the connection in every way there is.");
      await expect(start.counter.getByRole("img")).toHaveAccessibleName(/^Timeline of 12 seconds: connected for \d+ of them, [1-9] faults?$/);
      await expect(start.note).toHaveText(/^12 s, [1-9] faults?, 1 server kill: (\d+) published, \1 delivered, none lost, none repeated\.$/, recovery);
      await start.countsOn();
    });

    test("outlives a server that its menu kills", async ({ page, errors }) => {
      errors.expectLostConnections();
      errors.expect(/^Failed to load resource/);
      const start = await StartPage.visit(page);
      const phases = await Phases.watch(page);
      await start.line.break("Kill the server");
      await expect.poll(() => phases.seen(), recovery).toMatch(/waiting connecting open$/);
      await start.countsOn();
    });

    test("has the menu of a page with a connection of its own kill the server, too", async ({ page, errors }) => {
      errors.expectLostConnections();
      const { line } = await EchoPage.connected(page);
      const phases = await Phases.watch(page);
      await line.break("Kill the server");
      await expect.poll(() => phases.seen(), recovery).toMatch(/waiting connecting open$/);
    });
  });

  test("can be told to leave its connection alone", async ({ page, errors }) => {
    errors.expectLostConnections();
    const start = await StartPage.visit(page);
    await start.counter.getByRole("button", { name: "Torture for 60 seconds" }).click();
    await expect(start.line.state).not.toHaveText("Connected");
    await start.counter.getByRole("button", { name: "Stop" }).click();
    await expect(start.note).toHaveText(/^\d+ s, [1-9] faults?: (\d+) published, \1 delivered, none lost, none repeated\.$/, recovery);
  });

  test("has something to show while the application is loading", async ({ page }) => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route("**/*_bg.wasm", async (route) => {
      await released;
      await route.continue();
    });
    const asked = page.waitForRequest("**/*_bg.wasm");
    await page.goto("/tracker", { waitUntil: "commit" });
    await asked;
    const loading = page.getByText("Loading the demos…");
    await expect(loading).toBeVisible();

    release();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Geolocation tracker");
    await expect(loading).toHaveCount(0);
  });

  for (const [what, files] of [
    ["module", "**/*_bg.wasm"],
    ["script", "**/everwire-demos-*.js"],
  ] as const) {
    test(`says what to do where the application's ${what} cannot be loaded`, async ({ page, errors }) => {
      errors.expect(/Failed to load resource|Failed to fetch|net::ERR_FAILED/);
      await page.route(files, (route) => route.abort());
      await page.goto("/");
      await expect(page.getByRole("heading", { name: "The demos could not be loaded" })).toBeVisible();
      await expect(page.getByText("Loading the demos…")).toHaveCount(0);
      await expectAccessible(page);

      await page.unroute(files);
      await page.getByRole("button", { name: "Reload" }).click();
      await expect(page.getByRole("heading", { level: 1 })).toHaveText("A WebSocket that stays connected");
    });
  }

  test("says what it needs where JavaScript is off", async ({ visitor, companion }) => {
    const page = await visitor({ javaScriptEnabled: false });
    await page.goto(companion.address);
    await expect(page.getByRole("heading", { name: "These demos need JavaScript" })).toBeVisible();
    await expect(page.getByText("Loading the demos…")).toBeHidden();
  });

  test("leads to each demo and back", async ({ page }) => {
    await page.goto("/");
    const demos = page.getByRole("navigation", { name: "Demos" });
    const heading = page.getByRole("heading", { level: 1 });
    for (const [link, title] of pages) {
      await demos.getByRole("link", { name: link }).click();
      await expect(heading).toHaveText(title);
      await expect(heading, "a screen reader goes on there").toBeFocused();
      await expect(demos.getByRole("link", { name: link })).toHaveAttribute("aria-current", "page");
    }
    await page.goBack();
    await expect(heading).toHaveText("Stock ticker");
    await page.reload();
    await expect(heading).toHaveText("Stock ticker");

    await page.goto("/no-such-page");
    await page.getByRole("link", { name: "Go to the start page" }).click();
    await expect(heading).toHaveText("A WebSocket that stays connected");
    await page.getByRole("link", { name: /^Geolocation tracker/ }).click();
    await expect(page).toHaveURL(/\/tracker$/);
  });

  test("has a card for each demo", async ({ page }) => {
    await page.goto("/");
    for (const [, title] of pages) {
      await expect(page.getByRole("main").getByRole("link", { name: new RegExp(`^${title}`) })).toBeVisible();
    }
  });

  test("keeps the current page in sight of a phone's navigation, and every other within reach", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto("/monitor");
    const demos = page.getByRole("navigation", { name: "Demos" });
    await expect(demos.getByRole("link", { name: "Monitor" })).toBeInViewport({ ratio: 1 });
    await expect(demos.getByRole("link", { name: "Start" })).not.toBeInViewport();
    await demos.getByRole("link", { name: "Start" }).focus();
    await expect(demos.getByRole("link", { name: "Start" })).toBeInViewport({ ratio: 1 });
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/$/);
    await expect(demos.getByRole("link", { name: "Start" })).toBeInViewport({ ratio: 1 });

    await demos.getByRole("link", { name: "Lab" }).click();
    await page.setViewportSize({ width: 320, height: 700 });
    await expect(demos.getByRole("link", { name: "Lab" }), "also on a phone that was turned").toBeInViewport({ ratio: 1 });
  });

  test("remembers the colours that the visitor chose", async ({ page }) => {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto("/");
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Use dark colours" }).click();
    await expect.poll(ground).not.toBe(light);
    const dark = await ground();
    await page.reload();
    await expect(page.getByRole("button", { name: "Use light colours" })).toBeVisible();
    await expect.poll(ground).toBe(dark);
  });

  test("turns dark with the system", async ({ page }) => {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Use dark colours" })).toBeVisible();
    await page.emulateMedia({ colorScheme: "dark" });
    await expect(page.getByRole("button", { name: "Use light colours" })).toBeVisible();
  });

  test("has all pages talk to another server, when the visitor wants that", async ({ page, companion }) => {
    await page.goto("/");
    const line = new Line(page);
    await line.open();
    await page.getByRole("button", { name: /change it$/ }).click();
    const server = page.getByRole("textbox", { name: "Server that all pages talk to" });
    await server.fill("ftp://example.org");
    await page.getByRole("button", { name: "Use this server" }).click();
    await expect(page.getByRole("status").filter({ hasText: "write it like ws://127.0.0.1:9001" })).toBeVisible();

    const other = companion.address.replace("http://127.0.0.1", "localhost");
    await server.fill(other);
    const dialled = page.waitForEvent("websocket", (socket) => socket.url() === `ws://${other}/everwire`);
    await page.getByRole("button", { name: "Use this server" }).click();
    await dialled;
    await line.open();
    await page.goto("/ticker");
    await expect(page.getByRole("button", { name: `Server ${other}/everwire, change it` })).toBeVisible();
    await line.open();
  });
});
