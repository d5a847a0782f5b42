import { type Page } from "@playwright/test";

/** From this seed the first nine delays before attempts are drawn from the upper two fifths of what they may be, in the demos and in the npm package. */
const LOT = 0.018_142_56;

/**
 * Has a page draw long delays before its attempts, so that there is time to look at what it shows meanwhile and to press its
 * button. The lot may give half a second, which is over before a test has looked again.
 */
export async function drawLongDelays(page: Page): Promise<void> {
  await page.addInitScript((lot) => {
    Math.random = () => lot;
  }, LOT);
}
