import { type Page } from "@playwright/test";
import { resolve } from "node:path";

/**
 * Pictures come with every run, below `target/`. Those that the repository keeps are replaced only when
 * `EVERWIRE_KEEP_SCREENSHOTS` is set, since live numbers make each picture another one.
 */
export const kept = process.env["EVERWIRE_KEEP_SCREENSHOTS"] !== undefined;
const folder = resolve(import.meta.dirname, kept ? "../screenshots" : "../../target/screenshots");

/** The devices and colour schemes that every page is made for. */
export const looks = [
  { device: "phone", colors: "light", viewport: { width: 390, height: 844 } },
  { device: "phone", colors: "dark", viewport: { width: 390, height: 844 } },
  { device: "desktop", colors: "light", viewport: { width: 1440, height: 900 } },
  { device: "desktop", colors: "dark", viewport: { width: 1440, height: 900 } },
] as const;

export type Look = (typeof looks)[number];

/** Makes the page look as on that device in these colours. */
export async function wear(page: Page, look: Look): Promise<void> {
  await page.setViewportSize(look.viewport);
  await page.emulateMedia({ colorScheme: look.colors });
}

/** Keeps a picture of what is visible, as `NAME-DEVICE-COLORS.png`. */
export async function keepScreenshot(page: Page, name: string, look: Look): Promise<void> {
  const path = resolve(folder, `${name}-${look.device}-${look.colors}.png`);
  await page.screenshot({ path, animations: "disabled", caret: "hide" });
}
