import { expect, test } from "../support/test.ts";
import { type Quote, TickerPage } from "../support/ticker-page.ts";

test.describe("the stock ticker", () => {
  test("shows nine companies whose prices move", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    const symbols = await ticker.symbols();
    expect(symbols.toSorted()).toEqual(["ALL", "CVX", "DIS", "GR", "GRMN", "MET", "NVDA", "SNDK", "XOM"]);
    await expect(ticker.rows.filter({ hasText: "NVDA" })).toContainText("NVIDIA");
    await ticker.pricesMove();
    await expect.poll(() => ticker.number("Updates a second")).toBeGreaterThan(0);
    await expect(ticker.figure("Message age")).toContainText(/\d m?s/);
  });

  test("tells rise from fall by sign and by colour, and keeps low and high around the price", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    const risesAndFalls = (quotes: { change: string }[]) =>
      ["+", "\u2212"].every((sign) => quotes.some(({ change }) => change.startsWith(sign)));
    let quotes: Quote[] = [];
    await expect.poll(async () => risesAndFalls((quotes = await ticker.quotes()))).toBe(true);

    const colors = new Map<string, Set<string>>();
    for (const { symbol, price, change, open, low, high, color } of quotes) {
      const shown = Number(change.replace("\u2212", "-"));
      expect(shown, symbol).toBeCloseTo(price - open, 1);
      expect(Math.min(price, open), symbol).toBeGreaterThanOrEqual(low);
      expect(Math.max(price, open), symbol).toBeLessThanOrEqual(high);
      const sign = shown === 0 ? "0" : (change[0] ?? "");
      colors.set(sign, (colors.get(sign) ?? new Set()).add(color));
    }
    const [rise, fall] = ["+", "\u2212"].map((sign) => [...(colors.get(sign) ?? [])]);
    expect(rise, "one colour for every rise").toHaveLength(1);
    expect(fall, "one colour for every fall").toHaveLength(1);
    expect(rise).not.toEqual(fall);
  });

  test("sorts by a column one way, the other way, and not at all", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    const unsorted = await ticker.symbols();
    const byName = unsorted.toSorted();
    const symbol = ticker.head("Symbol");

    await symbol.getByRole("button").click();
    await expect(symbol).toHaveAttribute("aria-sort", "ascending");
    await expect.poll(() => ticker.symbols()).toEqual(byName);
    await symbol.getByRole("button").click();
    await expect(symbol).toHaveAttribute("aria-sort", "descending");
    await expect.poll(() => ticker.symbols()).toEqual(byName.toReversed());
    await symbol.getByRole("button").click();
    await expect(symbol).toHaveAttribute("aria-sort", "none");
    await expect.poll(() => ticker.symbols()).toEqual(unsorted);
  });

  test("sorts by a list on a phone, whose table has no heads", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    const ticker = await TickerPage.visit(page);
    await page.getByLabel("Sort by").selectOption("High");
    const isSorted = async () => {
      const highs = (await ticker.quotes()).map(({ high }) => high);
      return highs.every((high, index) => index === 0 || high <= (highs[index - 1] ?? 0));
    };
    await expect.poll(isSorted, "from the greatest").toBe(true);
  });

  test("has no row of the nine in a scroller of its own on a phone, and says how many there are", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await TickerPage.visit(page);
    const scroller = page.getByRole("region", { name: "Table of quotes" });
    expect(await scroller.evaluate((table) => table.scrollHeight - table.clientHeight)).toBeLessThanOrEqual(0);
    await expect(page.getByText("9 companies", { exact: true })).toBeVisible();
    await page.getByText("All 509").click();
    await expect(page.getByText("509 companies", { exact: true })).toBeVisible();
  });

  test("filters by symbol and by company", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    await ticker.filter.fill("nvd");
    await expect(ticker.rows).toHaveCount(1);
    await expect(page.getByText("1 of 9", { exact: true })).toBeVisible();
    await ticker.pricesMove();
    await ticker.filter.fill("disney");
    await expect(ticker.rows).toHaveText([/DIS/]);
    await ticker.filter.fill("no such company");
    await expect(page.getByText("No symbol or company has that in its name.")).toBeVisible();
  });

  test("keeps few of many companies in the page, and reaches the last", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    await page.getByText("All 509").click();
    await expect(ticker.table).toHaveAttribute("aria-rowcount", "510");
    await expect.poll(() => ticker.rows.count()).toBeGreaterThan(9);
    expect(await ticker.rows.count()).toBeLessThan(100);

    const scroller = page.getByRole("region", { name: "Table of quotes" });
    await scroller.scrollIntoViewIfNeeded();
    await scroller.evaluate((table) => table.scrollTo(0, table.scrollHeight));
    await expect(ticker.rows.last()).toHaveAttribute("aria-rowindex", "510");
    await expect(ticker.rows.last()).toBeInViewport();
    expect(await ticker.rows.count()).toBeLessThan(100);
    await ticker.pricesMove();
  });

  test("still answers at twenty thousand updates a second", async ({ page }) => {
    const ticker = await TickerPage.visit(page);
    await ticker.rate.press("End");
    await expect(ticker.rate).toHaveAttribute("aria-valuetext", "20,000 updates a second");
    const flood = () => expect.poll(() => ticker.number("Updates a second"), { timeout: 60_000 }).toBeGreaterThan(10_000);
    await flood();
    expect(await ticker.number("Frames a second"), "updates are folded").toBeLessThan(1_000);

    await ticker.head("Price").getByRole("button").click();
    await expect(ticker.head("Price")).toHaveAttribute("aria-sort", "descending");
    await ticker.filter.fill("grmn");
    await expect(ticker.rows).toHaveText([/GRMN/]);
    await ticker.pricesMove();
    await flood();
    await expect(ticker.figure("Missed")).toContainText("no gap");
    await expect(ticker.figure("Reconnects").getByRole("definition").first()).toHaveText("0");
  });
});
