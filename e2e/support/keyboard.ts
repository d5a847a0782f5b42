import { expect, type Locator, type Page } from "@playwright/test";

/** Moves the focus to an element as somebody without a mouse does, and fails when that does not lead there. */
export async function tabTo(page: Page, target: Locator, most = 60): Promise<void> {
  for (let press = 0; press < most; press += 1) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((element) => element === document.activeElement)) {
      return;
    }
  }
  await expect(target, `focused after ${most} presses of Tab`).toBeFocused({ timeout: 1 });
}
