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
      const look = (all: MutationRecord[]) => {
        const changes = all.filter(({ target }) => target instanceof Element && target.matches(".everwire-badge"));
        // One that was followed by another at once is only in what that one tells of before.
        const phase = ({ target }: MutationRecord, index: number) =>
          changes[index + 1]?.oldValue ?? (target as HTMLElement).dataset["phase"] ?? "";
        seen.push(...changes.map(phase));
      };
      const observer = new MutationObserver(look);
      observer.observe(document, { subtree: true, attributeFilter: ["data-phase"], attributeOldValue: true });
    });
    return new Phases(page);
  }

  /** The phases one after the other, like `waiting connecting open`. */
  async seen(): Promise<string> {
    return this.#page.evaluate(() => (globalThis as unknown as { phasesSeen: string[] }).phasesSeen.join(" "));
  }
}
