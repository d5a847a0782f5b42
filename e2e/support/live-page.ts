import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

/** The panels of the trading floor with their channels, in the order in which they are shown. */
export const panels = [
  ["Trading day", "live/banner"],
  ["Server", "live/monitor"],
  ["Stocks", "live/market"],
  ["Currencies", "live/currency"],
  ["Chat", "chat/lobby"],
  ["News", "live/news"],
  ["Server log", "live/log"],
] as const;

export type Panel = (typeof panels)[number][0];

/** The trading floor, as a visitor handles it. */
export class LivePage {
  readonly page: Page;
  readonly line: Line;
  /** What says how many channels there are on how many connections. */
  readonly connection: Locator;
  /** What reconnects did. */
  readonly note: Locator;
  /** Where the visitor writes to the lobby. */
  readonly field: Locator;
  /** The message to the lobby that was not sent. */
  readonly unsent: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.connection = page.locator(".live-connection");
    this.note = page.locator(".live-note");
    this.field = page.getByRole("textbox", { name: "Message to the lobby" });
    this.unsent = page.getByRole("group", { name: "Message that was not sent" });
  }

  /** Opens the page, and waits until every stock and every currency has a price. */
  static async visit(page: Page): Promise<LivePage> {
    await page.goto("/live");
    const live = new LivePage(page);
    await expect(live.panel("Stocks").locator("tbody tr")).toHaveCount(10);
    await expect(live.panel("Currencies").locator("tbody .rate")).toHaveCount(16);
    return live;
  }

  panel(name: Panel): Locator {
    return this.page.getByRole("region", { name, exact: true });
  }

  switch(name: Panel): Locator {
    return this.page.getByRole("switch", { name, exact: true });
  }

  /** Waits until the texts of a panel are others than they are now. */
  async moves(name: Panel): Promise<void> {
    const text = () => this.panel(name).innerText();
    const before = await text();
    await expect.poll(text, name).not.toBe(before);
  }

  /** How many messages a channel has had, or how many all of them in how many batches. */
  async messages(name: string): Promise<number> {
    const row = this.page.locator(".traffic-table tr").filter({ has: this.page.getByRole("rowheader", { name, exact: true }) });
    return Number((await row.getByRole("cell").nth(2).innerText()).replaceAll(",", ""));
  }

  /** Waits until so many more messages of a channel have come. */
  async getsMore(channel: string, more = 1): Promise<void> {
    const before = await this.messages(channel);
    const timeout = 20_000 + more * 1_500;
    await expect.poll(() => this.messages(channel), { message: channel, timeout }).toBeGreaterThanOrEqual(before + more);
  }

  /** Writes a message to the lobby, and waits until it is stored. */
  async say(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
    await this.has(text);
  }

  /** Waits until a message of the lobby is stored. */
  async has(text: string): Promise<void> {
    await expect(this.panel("Chat").getByRole("listitem").filter({ hasText: text })).toContainText(/\d\d:\d\d:\d\d/);
  }
}
