import { EchoPage } from "../support/echo-page.ts";
import { expect, test } from "../support/test.ts";

test.describe("the presets of the echo tester", () => {
  test("broadcast passes a message on to everybody, the sender included", async ({ page, visitor }) => {
    const ann = await EchoPage.connected(page, "broadcast");
    const bo = await EchoPage.connected(await visitor(), "broadcast");

    await expect(ann.message).toHaveValue("Hello, everyone!");
    await ann.sendButton.click();
    await expect(ann.received("Hello, everyone!")).toHaveCount(1);
    await expect(bo.received("Hello, everyone!")).toHaveCount(1);

    await bo.send("Hello, Ann!");
    await expect(ann.received("Hello, Ann!")).toHaveCount(1);
    await expect(ann.sent("Hello, Ann!")).toHaveCount(0);
  });

  test("hello greets by name and closes", async ({ page }) => {
    const echo = await EchoPage.connected(page, "hello");
    await echo.send("Zoë");
    await expect(echo.received("Hello Zoë!")).toBeVisible();
    await expect(echo.told("Closed by the server with code 1000")).toBeVisible();
    await expect(echo.line.state).toHaveText("Closed");
    await expect(echo.connectButton).toBeEnabled();
  });

  test("countdown counts down and closes", async ({ page }) => {
    const echo = await EchoPage.visit(page);
    await echo.preset("countdown").click();
    await expect(echo.address).toHaveValue(/\/countdown\?from=10&every=500$/);
    await echo.address.fill((await echo.address.inputValue()).replace("every=500", "every=20"));
    await echo.connectButton.click();

    await expect(echo.told("Closed by the server with code 1000")).toBeVisible();
    const counted = page.locator(".log-received .log-what");
    await expect(counted).toHaveText(["10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
  });

  test("sum tells everybody the total, and what is no number", async ({ page, visitor }) => {
    const ann = await EchoPage.connected(page, "sum");
    const bo = await EchoPage.connected(await visitor(), "sum");

    await ann.send("2.5");
    await expect(bo.received('{"total":2.5,"count":1}')).toBeVisible();
    await bo.send("-1");
    await expect(ann.received('{"total":1.5,"count":2}')).toBeVisible();

    await ann.send("three");
    await expect(ann.received('{"error":')).toBeVisible();
    await ann.send("3");
    await expect(bo.received('{"total":4.5,"count":3}')).toBeVisible();
  });

  test("clock answers with the server's time", async ({ page }) => {
    const echo = await EchoPage.connected(page, "clock");
    await echo.send('{"client_time": 1234.5}');
    const reply = echo.received(/"client_time":1234\.5,"server_time":\d{13}(\.\d+)?/);
    await expect(reply).toBeVisible();
  });

  test("ticker brings a snapshot and updates, and tracker welcomes, without a stop between", async ({ page }) => {
    const echo = await EchoPage.connected(page, "ticker");
    await expect(echo.received('"type":"updates"').first()).toBeVisible();
    // Found by the filter: of a log that goes on, only the end stands in the page.
    const find = page.getByRole("searchbox", { name: "Find" });
    await find.fill('"type":"snapshot"');
    await expect(echo.received('"type":"snapshot"')).toHaveCount(1);
    await find.fill("");

    // Another endpoint is somewhere else to go at once.
    await echo.preset("tracker").click();
    await expect(echo.received('{"type":"welcome"')).toBeVisible();
    await echo.line.open();
    await echo.sendButton.click();
    await expect(echo.received('"lat":52.52')).toBeVisible();
  });
});
