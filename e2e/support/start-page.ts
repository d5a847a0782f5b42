import { expect, type Locator, type Page } from "@playwright/test";
import { Line, recovery } from "./line.ts";

/** The start page with its counter. */
export class StartPage {
  readonly page: Page;
  readonly line: Line;
  readonly counter: Locator;
  /** What the counter says, the result of a run in the end. */
  readonly note: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.counter = page.getByRole("region", { name: "Every message, once" });
    this.note = this.counter.getByRole("status");
  }

  /** Opens the page and waits until it counts. A run of the torture takes so many seconds. */
  static async visit(page: Page, torture?: number): Promise<StartPage> {
    await page.goto(torture === undefined ? "/" : `/?torture=${torture}`);
    const start = new StartPage(page);
    await start.line.open();
    await start.countsOn();
    return start;
  }

  /** A figure of the counter. */
  async figure(name: string): Promise<number> {
    const text = await this.counter.locator("dl > div", { has: this.page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd").innerText();
    return Number(text.replace(/\D/g, ""));
  }

  /** Waits until all is delivered that was published by now, and checks that nothing was lost, repeated or invented meanwhile. */
  async countsOn(): Promise<void> {
    const published = (await this.figure("published")) + 1;
    await expect.poll(() => this.figure("delivered"), recovery).toBeGreaterThanOrEqual(published);
    for (const name of ["lost", "repeated", "gaps"]) {
      expect(await this.figure(name), name).toBe(0);
    }
    await expect(this.counter.getByText("never published")).toHaveCount(0);
    await expect(this.counter.getByText("out of order")).toHaveCount(0);
  }
}
