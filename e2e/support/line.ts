import { expect, type BrowserContext, type Locator, type Page } from "@playwright/test";

/** The entries of the menu that breaks the connection. */
export type Break = "Cut the connection" | "Go silent" | "Refuse" | "Close" | "Slow it down" | "Send garbage" | "Kill the server";

/**
 * How long a page may take to be connected again. The delays of the backoff are drawn by lot, up to 5 s in the demos and the first ones
 * up to 12 s elsewhere, and a busy machine adds its own.
 */
export const recovery = { timeout: 60_000 };

/** The connection of a page, as its head shows it, and everything there that acts on it. */
export class Line {
  readonly page: Page;
  readonly badge: Locator;
  /** The state in a word. */
  readonly state: Locator;
  /** The round trip while the line is open, the next attempt and the time until then while it is down. */
  readonly detail: Locator;
  /** The button that makes the next attempt now. */
  readonly now: Locator;
  /** Why the line is down. */
  readonly trouble: Locator;
  /** Says what a fault that lasts does to the messages. */
  readonly notice: Locator;
  readonly menuButton: Locator;
  readonly menu: Locator;

  constructor(page: Page) {
    this.page = page;
    this.badge = page.locator(".everwire-badge");
    this.state = this.badge.getByRole("status");
    this.detail = this.badge.locator(".everwire-badge-detail");
    this.now = this.badge.getByRole("button", { name: "Reconnect now" });
    this.trouble = page.locator(".line-trouble");
    this.notice = page.locator(".line-bar .notice");
    this.menuButton = page.getByRole("button", { name: /^Break/ });
    this.menu = page.getByRole("group", { name: "Ways to break the connection" });
  }

  /** Waits until the page is connected. */
  async open(): Promise<void> {
    await expect(this.state).toHaveText("Connected", recovery);
  }

  /** Waits until the page has noticed that it is not connected. */
  async down(): Promise<void> {
    await expect(this.state).toHaveText(/^(Reconnecting|Offline)$/, recovery);
  }

  /** Takes the network away from the browser, and waits until the page says so. */
  async goOffline(context: BrowserContext): Promise<void> {
    await context.setOffline(true);
    await expect(this.state).toHaveText("Offline", recovery);
  }

  /** Has all pages talk to another server, as a visitor does. */
  async switchServer(address: string): Promise<void> {
    await this.page.getByRole("button", { name: /^Server .*, change it$/ }).click();
    await this.page.getByRole("textbox", { name: "Server that all pages talk to" }).fill(address.replace("http", "ws"));
    await this.page.getByRole("button", { name: "Use this server" }).click();
  }

  /** Has the connection broken, as a visitor does. */
  async break(how: Break): Promise<void> {
    await this.menuButton.click();
    await this.menu.getByRole("button", { name: new RegExp(`^${how}`) }).click();
    await expect(this.menu).toBeHidden();
  }
}
