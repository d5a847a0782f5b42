import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";
import { Sockets } from "./sockets.ts";

/** A row of the table of processes, as shown. */
export interface Process {
  readonly pid: number;
  readonly name: string;
  readonly cpu: number;
}

/** The server monitor, as a visitor reads it. */
export class MonitorPage {
  readonly page: Page;
  readonly line: Line;
  readonly sockets: Sockets;
  readonly processes: Locator;
  /** What is shown where the server does not tell. */
  readonly off: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.sockets = Sockets.of(page, "/everwire");
    this.processes = page.getByRole("region", { name: "Table of processes" }).getByRole("table");
    this.off = page.getByRole("region", { name: "This server keeps it to itself" });
  }

  /** Opens the page of a server that tells, and waits for the first sample. */
  static async visit(page: Page): Promise<MonitorPage> {
    const monitor = new MonitorPage(page);
    await page.goto("/monitor");
    await monitor.lives();
    return monitor;
  }

  /** Waits until samples come. */
  async lives(): Promise<void> {
    await expect(this.card("Processor").locator(".monitor-value")).toHaveText(/^\d+ %$/);
    await expect(this.processes.locator("tbody tr").first()).toBeVisible();
  }

  /** A chart with its figure. */
  card(title: string): Locator {
    return this.page.getByRole("figure").filter({ has: this.page.getByText(title, { exact: true }) });
  }

  /** The number that stands over a chart. */
  async number(title: string): Promise<number> {
    const shown = await this.card(title).locator(".monitor-value").innerText();
    return Number.parseFloat(shown.replaceAll(",", ""));
  }

  /** What a chart looks like at this moment: its lines move with every sample. */
  async picture(title: string): Promise<string> {
    return this.card(title).locator("canvas").evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  }

  /** The cells of an endpoint: connections open, messages in and out a second. */
  async endpoint(path: string): Promise<{ open: number; messagesIn: number; messagesOut: number }> {
    const table = this.page.getByRole("table", { name: "Endpoints" });
    const row = table.getByRole("row").filter({ has: this.page.getByRole("rowheader", { name: path, exact: true }) });
    const [open, messagesIn, messagesOut] = (await row.getByRole("cell").allInnerTexts()).map((text) =>
      Number(text.replaceAll(",", "")),
    );
    return { open: open ?? Number.NaN, messagesIn: messagesIn ?? Number.NaN, messagesOut: messagesOut ?? Number.NaN };
  }

  /** The head of a column of the table of processes, which sorts it. */
  head(column: string): Locator {
    return this.processes.getByRole("columnheader", { name: column });
  }

  async rows(): Promise<Process[]> {
    return this.processes.locator("tbody tr").evaluateAll((rows) =>
      rows.map((row) => {
        const text = (cell: string) => row.querySelector(`.${cell}-cell`)?.firstChild?.textContent ?? "";
        return { pid: Number(text("pid")), name: text("name"), cpu: Number(text("cpu")) };
      }),
    );
  }
}
