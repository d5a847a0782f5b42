import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

/** What the figures showed at one moment. */
interface Shown {
  /** The connections that were open. */
  readonly open: number;
  /** The pings that had come back. */
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
    await expect.poll(() => this.number("Connections open"), { timeout: 60_000 }).toBe(connections);
  }

  figure(name: string): Locator {
    return this.page.locator(".throughput-figures div").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /** The number that a figure begins with. */
  async number(name: string): Promise<number> {
    const shown = await this.figure(name).getByRole("definition").first().innerText();
    return Number.parseFloat(shown.replaceAll(",", ""));
  }

  /** How many pings came back so far. */
  async total(): Promise<number> {
    const shown = await this.figure("Pings a second").getByRole("definition").last().innerText();
    return Number.parseFloat(shown.replaceAll(",", ""));
  }

  /** Follows the figures of a measurement from now on, draw by draw: also what is gone again before a test could look. */
  async follow(): Promise<() => Promise<Shown[]>> {
    const seen = await this.page.locator(".throughput-figures").evaluateHandle((figures) => {
      const seen: Shown[] = [];
      const told = (name: string) => {
        const figure = [...figures.children].find((figure) => figure.firstElementChild?.textContent === name);
        return [...(figure?.querySelectorAll("dd") ?? [])].map((told) => parseFloat(told.innerText.replaceAll(",", "")));
      };
      const look = () => {
        const [[open], [, total]] = [told("Connections open"), told("Pings a second")];
        seen.push({ open: open ?? NaN, total: total ?? NaN });
      };
      new MutationObserver(look).observe(figures, { subtree: true, childList: true, characterData: true });
      return seen;
    });
    return () => seen.jsonValue();
  }
}
