import { expect, type Download, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

export const transports = ["poll", "long-poll", "stream", "events", "socket"] as const;
export type Transport = (typeof transports)[number];

export const names: Record<Transport, string> = {
  poll: "Polling",
  "long-poll": "Long polling",
  stream: "HTTP streaming",
  events: "Server-sent events",
  socket: "WebSocket",
};

/** The transport lab, as a visitor handles it. */
export class LabPage {
  readonly page: Page;
  readonly line: Line;
  readonly controls: Locator;
  readonly experiment: Locator;
  /** The number of calls made, and the state of the experiment. */
  readonly progress: Locator;
  readonly distribution: Locator;
  /** The rows of the experiment's table, without the head. */
  readonly rows: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.controls = page.getByRole("region", { name: "Feed and network" });
    this.experiment = page.getByRole("region", { name: "Experiment", exact: true });
    this.progress = this.experiment.locator(".lab-progress span");
    this.distribution = page.getByRole("region", { name: "Distribution" });
    this.rows = this.experiment.locator("tbody tr");
  }

  /** Opens the page, and waits until it has measured the server's time. */
  static async visit(page: Page): Promise<LabPage> {
    await page.goto("/lab");
    const lab = new LabPage(page);
    await lab.line.open();
    await expect(lab.line.detail).toHaveText(/\d m?s$/);
    return lab;
  }

  async start(): Promise<void> {
    await this.controls.getByRole("button", { name: "Start" }).click();
  }

  async stop(): Promise<void> {
    await this.controls.getByRole("button", { name: "Stop" }).click();
  }

  async choose(field: string, entry: string): Promise<void> {
    await this.page.getByRole("combobox", { name: field, exact: true }).selectOption(entry);
  }

  /** Selects only these transports. */
  async only(...wanted: Transport[]): Promise<void> {
    for (const transport of transports) {
      await this.card(transport).getByRole("checkbox").setChecked(wanted.includes(transport));
    }
  }

  card(transport: Transport): Locator {
    return this.page.locator(`[data-transport="${transport}"]`);
  }

  /** A figure of a card, once it is known. */
  async figure(transport: Transport, name: string): Promise<string> {
    const figure = this.card(transport).locator("dl div").filter({ has: this.page.getByText(name, { exact: true }) });
    return known(figure.getByRole("definition"));
  }

  async number(transport: Transport, name: string): Promise<number> {
    return Number((await this.figure(transport, name)).replaceAll(",", "").split(" ")[0]);
  }

  /** Bytes of overhead per message, once the card shows them. The server's counts arrive later than the messages. */
  async overhead(transport: Transport): Promise<number> {
    return Number(await known(this.card(transport).locator(".lab-overhead strong")));
  }

  /** The messages received by each transport, read at the same moment. */
  async counts(): Promise<number[]> {
    const shown = await this.page.locator("[data-transport]").evaluateAll((cards) =>
      cards.map((card) => {
        const name = [...card.querySelectorAll("dt")].find((name) => name.textContent === "Messages");
        return name?.nextElementSibling?.textContent ?? "";
      }),
    );
    return shown.map((count) => Number(count.replaceAll(",", "")));
  }

  /** Waits until a transport has received this many messages. */
  async receives(transport: Transport, messages: number): Promise<void> {
    await expect.poll(() => this.number(transport, "Messages"), names[transport]).toBeGreaterThanOrEqual(messages);
  }

  /** Starts an experiment. */
  async run(): Promise<void> {
    await this.experiment.getByRole("button", { name: "Run" }).click();
  }

  /** The cells in the row of a transport. */
  async results(transport: Transport): Promise<string[]> {
    return this.rows.filter({ hasText: names[transport] }).locator("td").allInnerTexts();
  }

  async saved(button: string): Promise<Download> {
    const downloading = this.page.waitForEvent("download");
    await this.page.getByRole("button", { name: button }).click();
    return downloading;
  }
}

/** The text of an element once it shows a number instead of a dash. */
async function known(shown: Locator): Promise<string> {
  await expect(shown).toHaveText(/\d/);
  return shown.innerText();
}
