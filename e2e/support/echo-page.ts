import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

export type Preset = "echo" | "broadcast" | "hello" | "countdown" | "sum" | "clock" | "ticker" | "tracker";

/** The echo tester, as a visitor handles it. */
export class EchoPage {
  readonly page: Page;
  readonly line: Line;
  readonly address: Locator;
  readonly connectButton: Locator;
  readonly disconnectButton: Locator;
  readonly message: Locator;
  readonly sendButton: Locator;
  readonly log: Locator;
  /** The lines of the log that stand in the page. */
  readonly rows: Locator;
  /** How many lines there are, in words. */
  readonly amount: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.address = page.getByRole("textbox", { name: "Address" });
    this.connectButton = page.getByRole("button", { name: "Connect", exact: true });
    this.disconnectButton = page.getByRole("button", { name: "Disconnect" });
    this.message = page.getByRole("region", { name: "Send" }).getByRole("textbox").first();
    this.sendButton = page.getByRole("button", { name: "Send", exact: true });
    this.log = page.getByRole("listbox", { name: "Log lines" });
    this.rows = this.log.getByRole("option");
    this.amount = page.getByRole("region", { name: "Log" }).locator(".card-head .field-note");
  }

  /** Opens the page, and waits until it knows its server. */
  static async visit(page: Page): Promise<EchoPage> {
    await page.goto("/echo");
    const echo = new EchoPage(page);
    await expect(echo.address).toHaveValue(/^ws:.*\/echo$/);
    return echo;
  }

  /** Opens the page and connects it to the endpoint of a preset. */
  static async connected(page: Page, preset: Preset = "echo"): Promise<EchoPage> {
    const echo = await EchoPage.visit(page);
    await echo.preset(preset).click();
    await echo.connect();
    return echo;
  }

  preset(name: Preset): Locator {
    return this.page.getByRole("button", { name: `/${name}`, exact: true });
  }

  async connect(): Promise<void> {
    await this.connectButton.click();
    await this.line.open();
  }

  async chooseFormat(format: "Text" | "JSON" | "Binary"): Promise<void> {
    await this.page.getByRole("radiogroup", { name: "Format" }).getByText(format).click();
  }

  async send(text: string): Promise<void> {
    await this.message.fill(text);
    await this.sendButton.click();
  }

  /** Sends the message again and again. */
  async repeat(times: number, perSecond: number): Promise<void> {
    const form = this.page.getByRole("form", { name: "Repeat" });
    await form.getByLabel("Repeat", { exact: true }).fill(String(times));
    await form.getByLabel("per second").fill(String(perSecond));
    await form.getByRole("button", { name: "Start" }).click();
  }

  sent(text: string | RegExp): Locator {
    return this.page.locator(".log-sent").filter({ hasText: text });
  }

  received(text: string | RegExp): Locator {
    return this.page.locator(".log-received").filter({ hasText: text });
  }

  /** The lines about the connection itself. */
  told(text: string | RegExp): Locator {
    return this.page.locator(".log-event").filter({ hasText: text });
  }
}
