import { type JSHandle, type Page } from "@playwright/test";

/** The layout shifts of a page since the watch began, but for those that follow what a visitor did, as browsers count them. */
export class Shifts {
  readonly #seen: JSHandle<() => Promise<string[]>>;

  private constructor(seen: JSHandle<() => Promise<string[]>>) {
    this.#seen = seen;
  }

  static async watch(page: Page): Promise<Shifts> {
    const seen = await page.evaluateHandle(() => {
      interface Shift extends PerformanceEntry {
        readonly hadRecentInput: boolean;
        readonly sources: readonly { readonly node: Node | null; readonly previousRect: DOMRect; readonly currentRect: DOMRect }[];
      }
      const shifts: Shift[] = [];
      const take = (entries: PerformanceEntryList) => shifts.push(...(entries as Shift[]).filter((shift) => !shift.hadRecentInput));
      const observer = new PerformanceObserver((list) => take(list.getEntries()));
      observer.observe({ type: "layout-shift" });
      const place = ({ x, y, width, height }: DOMRect) => `${x},${y} ${width}×${height}`;
      // A number with a digit more, in a column of numbers: its right edge stays.
      const grewInPlace = ({ node, previousRect, currentRect }: Shift["sources"][number]) =>
        node instanceof Text && previousRect.right === currentRect.right && previousRect.y === currentRect.y && previousRect.height === currentRect.height;
      const name = (node: Node | null) => (node instanceof Element ? `${node.tagName.toLowerCase()}.${node.className}` : `“${node?.textContent}”`);
      return async () => {
        // A shift is reported with the frame that it is drawn in.
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        take(observer.takeRecords());
        return shifts.flatMap(({ sources }) =>
          sources.filter((source) => !grewInPlace(source)).map(({ node, previousRect, currentRect }) => `${name(node)} from ${place(previousRect)} to ${place(currentRect)}`),
        );
      };
    });
    return new Shifts(seen);
  }

  /** What moved, from where to where. */
  async seen(): Promise<string[]> {
    return this.#seen.evaluate((seen) => seen());
  }
}
