import { type Page } from "@playwright/test";

/** What a page's badge has shown since the watch began, also what was gone again before a test could look. */
export class Phases {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async watch(page: Page): Promise<Phases> {
    await page.evaluate(() => {
      const seen: string[] = [];
      Object.assign(globalThis, { phasesSeen: seen });
      const look = ({ target }: MutationRecord) => {
        if (target instanceof HTMLElement && target.classList.contains("everwire-badge")) {
          seen.push(target.dataset["phase"] ?? "");
        }
      };
      const observer = new MutationObserver((changes) => changes.forEach(look));
      observer.observe(document, { subtree: true, attributeFilter: ["data-phase"] });
    });
    return new Phases(page);
  }

  /** The phases one after the other, like `waiting connecting open`. */
  async seen(): Promise<string> {
    return this.#page.evaluate(() => (globalThis as unknown as { phasesSeen: string[] }).phasesSeen.join(" "));
  }
}
