import { expect, type Locator, type Page } from "@playwright/test";

/** The dashboard of `www/`: with an EverSocket, or with the browser's WebSocket. */
export class DashboardPage {
  readonly page: Page;
  readonly state: Locator;
  readonly trouble: Locator;
  readonly stocks: Locator;
  readonly roundTrip: Locator;
  readonly age: Locator;
  readonly reconnects: Locator;

  constructor(page: Page) {
    this.page = page;
    this.state = page.locator("#state");
    this.trouble = page.locator(".trouble");
    this.stocks = page.locator("#stocks > li");
    this.roundTrip = page.locator("#round-trip");
    this.age = page.locator("#age");
    this.reconnects = page.locator("#reconnects");
  }

  static async visit(page: Page, path: string): Promise<DashboardPage> {
    await page.goto(path);
    return new DashboardPage(page);
  }

  async isConnected(): Promise<void> {
    await expect(this.state).toHaveText("Connected");
  }

  /** Waits until more updates have come than now. */
  async flows(): Promise<void> {
    const before = await this.updates();
    await expect.poll(() => this.updates()).toBeGreaterThan(before);
  }

  async updates(): Promise<number> {
    return Number((await this.page.locator("#updates").innerText()).replaceAll(",", ""));
  }

  /** The age of the data in ms. */
  async ageInMs(): Promise<number> {
    const [, number, unit] = /^([\d.]+) (m?s)$/.exec(await this.age.innerText()) ?? [];
    return Number(number) * (unit === "s" ? 1000 : 1);
  }
}
