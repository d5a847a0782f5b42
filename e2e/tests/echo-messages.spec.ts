import { EchoPage } from "../support/echo-page.ts";
import { Sockets } from "../support/sockets.ts";
import { expect, test } from "../support/test.ts";

test.describe("the echo tester", () => {
  test("logs a text and its echo with direction, size and round trip", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await expect(echo.told(/Connected to ws:.*\/echo/)).toBeVisible();

    await echo.send("Grüße über den Draht");

    await expect(echo.sent("Grüße über den Draht")).toContainText("23 B");
    const reply = echo.received("Grüße über den Draht");
    await expect(reply).toContainText("23 B");
    await expect(reply.locator(".log-trip")).toHaveText(/^\d+(\.\d)? m?s$/);
    await expect(echo.sent("Grüße über den Draht").locator(".log-trip")).toBeEmpty();
  });

  test("sends JSON as it is written, and lays it out on request and in the log", async ({ page }) => {
    const sockets = Sockets.of(page, "/echo");
    const echo = await EchoPage.connected(page);
    await echo.chooseFormat("JSON");

    await echo.send('{"to":["Ann","Bo"],"big":12345678901234567890}');
    await expect(echo.received('"to"')).toBeVisible();
    expect(sockets.sent).toEqual(['{"to":["Ann","Bo"],"big":12345678901234567890}']);

    await page.getByRole("button", { name: "Pretty-print" }).click();
    const pretty = '{\n  "to": [\n    "Ann",\n    "Bo"\n  ],\n  "big": 12345678901234567890\n}';
    await expect(echo.message).toHaveValue(pretty);

    await echo.received('"to"').click();
    await expect(page.getByRole("region", { name: "Selected line" }).getByLabel("Content")).toHaveText(pretty);
  });

  test("does not send what is not JSON, and points at the mistake", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.chooseFormat("JSON");

    await echo.message.fill('{\n  "a": tru\n}');

    await expect(page.getByText(/This is not JSON: .* line 2/)).toBeVisible();
    await expect(echo.message).toHaveAttribute("aria-invalid", "true");
    await expect(echo.sendButton).toBeDisabled();
    await echo.message.fill('{ "a": true }');
    await expect(echo.sendButton).toBeEnabled();
  });

  test("sends bytes that are written as hexadecimal digits", async ({ page }) => {
    const sockets = Sockets.of(page, "/echo");
    const echo = await EchoPage.connected(page);
    await echo.chooseFormat("Binary");

    await echo.send("00 ff 0xCA:fe");

    await expect(echo.received("00 ff ca fe")).toContainText("4 B");
    expect(sockets.sent).toEqual(["00ffcafe"]);
  });

  test("does not send what are no hexadecimal digits, and points at the mistake", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.chooseFormat("Binary");

    await echo.message.fill("ca fg");
    await expect(page.getByText(/'g' at .* is not a hexadecimal digit/)).toBeVisible();
    await expect(echo.sendButton).toBeDisabled();

    await echo.message.fill("ca f");
    await expect(page.getByText(/the digit 'f' at .* is incomplete/)).toBeVisible();
    await expect(echo.sendButton).toBeDisabled();
  });

  test("sends a file in messages of the chosen size", async ({ page }) => {
    const sockets = Sockets.of(page, "/echo");
    const echo = await EchoPage.connected(page);
    await echo.chooseFormat("Binary");
    const bytes = Buffer.from(Array.from({ length: 150_000 }, (_, index) => index % 251));

    const form = page.getByRole("form", { name: "Send a file" });
    await form.getByLabel("Or a file").setInputFiles({ name: "bytes.bin", mimeType: "", buffer: bytes });
    await form.getByRole("button", { name: "Send file" }).click();

    await expect(form.getByText("150.0 kB sent.")).toBeVisible();
    await expect(page.locator(".log-received")).toHaveCount(3);
    await expect(echo.received("18.9 kB")).toBeVisible();
    expect(sockets.sent.join("")).toBe(bytes.toString("hex"));
  });

  test("repeats a message as often as asked, and can be stopped", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await echo.message.fill("tick");

    await echo.repeat(20, 100);
    await expect(page.locator(".log-received")).toHaveCount(20);

    await echo.repeat(1_000_000, 20);
    await expect(page.getByText(/^\d+ of 1,000,000$/)).toBeVisible();
    await page.getByRole("button", { name: "Stop" }).click();
    await expect(page.getByRole("button", { name: "Start" })).toBeEnabled();
  });

  test("keeps what is sent while the line is down, and sends it when it is back", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const echo = await EchoPage.connected(page);
    await companion.kill();
    await echo.line.down();

    await echo.send("while you were out");
    await expect(page.getByText("1 message is waiting for the connection.")).toBeVisible();

    await companion.restart();
    await echo.line.open();
    await expect(echo.received("while you were out")).toHaveCount(1);
    await expect(echo.told("Reconnected to")).toBeVisible();
  });
});
