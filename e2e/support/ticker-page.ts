import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

/** A row of the table of quotes, all cells of the same moment. */
export interface Quote {
  readonly company: string;
  readonly symbol: string;
  readonly price: number;
  /** As shown, with its sign. */
  readonly change: string;
  readonly open: number;
  readonly low: number;
  readonly high: number;
  /** The colour of the change. */
  readonly color: string;
}

/** The stock ticker, as a visitor handles it. */
export class TickerPage {
  readonly page: Page;
  readonly line: Line;
  readonly rate: Locator;
  readonly filter: Locator;
  readonly table: Locator;
  /** The rows that stand in the page, without the head. */
  readonly rows: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.rate = page.getByRole("slider", { name: "Rate" });
    this.filter = page.getByRole("searchbox", { name: "Filter by symbol or company" });
    this.table = page.getByRole("table");
    this.rows = this.table.locator("tbody tr");
  }

  /** Opens the page, and waits until the nine companies are there. */
  static async visit(page: Page): Promise<TickerPage> {
    await page.goto("/ticker");
    const ticker = new TickerPage(page);
    await expect(ticker.rows).toHaveCount(9);
    return ticker;
  }

  /** A head of the table, which sorts it. */
  head(column: string): Locator {
    return this.table.getByRole("columnheader", { name: column });
  }

  /** One of the figures above the table. */
  figure(name: string): Locator {
    return this.page.locator(".ticker-figures div").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /** The number that a figure shows. */
  async number(name: string): Promise<number> {
    const shown = await this.figure(name).getByRole("definition").first().innerText();
    return Number(shown.replaceAll(",", ""));
  }

  async quotes(): Promise<Quote[]> {
    return this.rows.evaluateAll((rows) =>
      rows.map((row) => {
        const cell = (name: string) => row.querySelector(name);
        const text = (name: string) => cell(name)?.textContent?.trim() ?? "";
        const change = cell(".change");
        return {
          company: text(".company-cell"),
          symbol: text(".symbol-cell"),
          price: Number(text(".price-cell")),
          change: text(".change"),
          open: Number(text(".open-cell")),
          low: Number(text(".low-cell")),
          high: Number(text(".high-cell")),
          color: change === null ? "" : getComputedStyle(change).color,
        };
      }),
    );
  }

  async symbols(): Promise<string[]> {
    return (await this.quotes()).map(({ symbol }) => symbol);
  }

  /** Waits until prices are others than they are now. */
  async pricesMove(): Promise<void> {
    const prices = async () => (await this.quotes()).map(({ price }) => price);
    const before = await prices();
    await expect.poll(prices, "prices").not.toEqual(before);
  }
}
