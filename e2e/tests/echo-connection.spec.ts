import { EchoPage } from "../support/echo-page.ts";
import { expect, test } from "../support/test.ts";

test.describe("the echo tester's connection", () => {
  test("ends with the code and the reason that the visitor gives", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await page.getByRole("textbox", { name: "Close code" }).fill("4321");
    await page.getByRole("textbox", { name: "Reason" }).fill("tea is ready");

    await echo.disconnectButton.click();

    await expect(echo.told("Closed by you with code 4321: tea is ready")).toBeVisible();
    await expect(echo.connectButton).toBeEnabled();
    await expect(echo.sendButton).toBeDisabled();
  });

  test("is not closed with a code that only browsers and servers may use", async ({ page }) => {
    const echo = await EchoPage.connected(page);
    await page.getByRole("textbox", { name: "Close code" }).fill("1001");
    await expect(page.getByText("Code 1001 is reserved")).toBeVisible();
    await expect(echo.disconnectButton).toBeDisabled();

    await page.getByRole("textbox", { name: "Close code" }).fill("1000");
    await page.getByRole("textbox", { name: "Reason" }).fill("é".repeat(62));
    await expect(echo.disconnectButton).toBeDisabled();
    await page.getByRole("textbox", { name: "Reason" }).fill("é".repeat(61));
    await expect(page.getByText("122 of 123 bytes")).toBeVisible();
    await expect(echo.disconnectButton).toBeEnabled();
  });

  test("is not dialled to an address that is none, which is explained", async ({ page }) => {
    const echo = await EchoPage.visit(page);
    await echo.address.fill("https://example.org");
    await echo.connectButton.click();
    await expect(page.getByRole("alert")).toHaveText("https:// is not a WebSocket address: start it with ws:// or wss://.");
    await expect(echo.line.state).toHaveText("Not connected");
  });

  test("switches TLS by the address's scheme", async ({ page }) => {
    const echo = await EchoPage.visit(page);
    const tls = page.getByRole("switch", { name: "TLS" });
    await expect(tls).not.toBeChecked();
    await page.getByText("TLS", { exact: true }).click();
    await expect(echo.address).toHaveValue(/^wss:\/\/127\.0\.0\.1:\d+\/echo$/);
    await page.getByText("TLS", { exact: true }).click();
    await expect(echo.address).toHaveValue(/^ws:\/\//);
  });

  test("offers subprotocols, and says which mistake keeps them from being offered", async ({ page }) => {
    const offered: string[] = [];
    await page.routeWebSocket(/\/echo$/, (socket) => {
      offered.push(...socket.protocols());
      socket.connectToServer();
    });
    const echo = await EchoPage.visit(page);
    const protocols = page.getByRole("textbox", { name: "Subprotocols" });
    await protocols.fill("chat chat");
    await expect(protocols).toHaveAttribute("aria-invalid", "true");

    await protocols.fill("chat.v2 chat.v1");
    await echo.connectButton.click();
    await expect.poll(() => offered).toEqual(["chat.v2", "chat.v1"]);
  });
});
