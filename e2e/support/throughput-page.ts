import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

/** The figures of one render. */
interface Shown {
  readonly open: number;
  /** The pings answered so far. */
  readonly total: number;
}

/** The throughput check, as a visitor handles it. */
export class ThroughputPage {
  readonly page: Page;
  readonly line: Line;
  readonly connections: Locator;
  readonly start: Locator;
  readonly stop: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.connections = page.getByLabel("Connections", { exact: true });
    this.start = page.getByRole("button", { name: "Start" });
    this.stop = page.getByRole("button", { name: "Stop" });
  }

  static async visit(page: Page): Promise<ThroughputPage> {
    await page.goto("/throughput");
    const throughput = new ThroughputPage(page);
    await expect(throughput.start).toBeEnabled();
    return throughput;
  }

  /** Starts a measurement, and waits until all connections are open. */
  async run(connections: number): Promise<void> {
    await this.connections.fill(String(connections));
    await this.start.click();
    await expect.poll(() => this.number("Open connections"), { timeout: 60_000 }).toBe(connections);
  }

  figure(name: string): Locator {
    return this.page.locator(".throughput-figures div").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /** The number that a figure begins with. */
  async number(name: string): Promise<number> {
    const shown = await this.figure(name).getByRole("definition").first().innerText();
    return Number.parseFloat(shown.replaceAll(",", ""));
  }

  /** The pings answered so far. */
  async total(): Promise<number> {
    const shown = await this.figure("Pings per second").getByRole("definition").last().innerText();
    return Number.parseFloat(shown.replaceAll(",", ""));
  }

  /** Records the figures at each render from now on, also values that change again before a test could read them. */
  async follow(): Promise<() => Promise<Shown[]>> {
    const seen = await this.page.locator(".throughput-figures").evaluateHandle((figures) => {
      const seen: Shown[] = [];
      const numbers = (name: string) => {
        const figure = [...figures.children].find((figure) => figure.firstElementChild?.textContent === name);
        return [...(figure?.querySelectorAll("dd") ?? [])].map((shown) => parseFloat(shown.innerText.replaceAll(",", "")));
      };
      const look = () => {
        const [[open], [, total]] = [numbers("Open connections"), numbers("Pings per second")];
        seen.push({ open: open ?? NaN, total: total ?? NaN });
      };
      new MutationObserver(look).observe(figures, { subtree: true, childList: true, characterData: true });
      return seen;
    });
    return () => seen.jsonValue();
  }
}
