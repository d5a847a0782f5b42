import { type Page, expect, test } from "@playwright/test";
import { expectAccessible } from "./accessibility.ts";
import { keepScreenshot, looks, wear } from "./screenshots.ts";

/** Tries a page that lives on every device in all colours, and takes its picture there, once it is arranged for that. */
export async function tryLooks(page: Page, name: string, arrange = async () => {}): Promise<void> {
  // Each is a check of the whole page, which takes a slow machine half a minute where a lot goes on there.
  test.setTimeout(test.info().timeout + looks.length * 30_000);
  for (const look of looks) {
    await test.step(`${look.device}, ${look.colors}`, async () => {
      await wear(page, look);
      await arrange();
      await page.evaluate(() => scrollTo(0, 0));
      const wider = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await expect.poll(wider, "pixels beyond the screen's edge").toBeLessThanOrEqual(0);
      await expectAccessible(page);
      await keepScreenshot(page, name, look);
    });
  }
}
