import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "../../support/www.ts";

const www = resolve(import.meta.dirname, "../../../www");
const lines = (path: string) => readFileSync(resolve(www, path), "utf8").split("\n");

/** Those lines of two files that differ, in pairs. */
function differences(one: string, other: string): [string, string | undefined][] {
  const [left, right] = [lines(one), lines(other)];
  expect(right.length, `${other} has as many lines as ${one}`).toBe(left.length);
  return left.flatMap((line, index) => (line === right[index] ? [] : [[line, right[index]] as [string, string | undefined]]));
}

test("one line separates the page from the one with the browser's WebSocket", async ({ page }) => {
  const code = differences("src/main.ts", "src/plain.ts");
  expect(code).toEqual([[expect.stringContaining("new EverSocket(address, "), expect.stringContaining("new WebSocket(address)")]]);
  expect(differences("index.html", "plain.html")).toEqual([[expect.stringContaining("main.ts"), expect.stringContaining("plain.ts")]]);

  for (const [path, index] of [["/", 0], ["/plain.html", 1]] as const) {
    await page.goto(path);
    const shown = page.getByRole("navigation", { name: "The one line that differs" }).getByRole("link");
    await expect(shown).toHaveText(code[0] as string[]);
    await expect(shown.nth(index)).toHaveAttribute("aria-current", "page");
    await expect(shown.nth(1 - index)).not.toHaveAttribute("aria-current");
  }
});

test("the dashboard has less than 150 lines", () => {
  const files = readdirSync(resolve(www, "src")).filter((name) => name.endsWith(".ts") && name !== "chat.ts");
  const all = files.map((name) => readFileSync(resolve(www, "src", name), "utf8").trimEnd().split("\n").length);
  expect(all.reduce((sum, count) => sum + count)).toBeLessThan(150);
});
