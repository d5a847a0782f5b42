import { type Page, expect } from "@playwright/test";

// The time of a page, which a test has pass faster. Networks and servers keep their own.

/** Installs the clock of a page that has not been opened. */
export async function installClock(page: Page, time = Date.now()): Promise<void> {
  await page.clock.install({ time });
  await page.addInitScript(() => {
    // The clock's ids do not fit into the 32 bits that a frame's id has in Rust, and so a frame could not be cancelled.
    const { requestAnimationFrame, cancelAnimationFrame } = globalThis;
    const ids: number[] = [];
    globalThis.requestAnimationFrame = (draw) => ids.push(requestAnimationFrame(draw));
    globalThis.cancelAnimationFrame = (number) => cancelAnimationFrame(ids[number - 1] ?? 0);
  });
}

/** Lets no more time pass for the page, from so many milliseconds after its present time, until its clock is resumed. */
export async function pauseIn(page: Page, milliseconds: number): Promise<void> {
  await page.clock.pauseAt((await page.evaluate(() => Date.now())) + milliseconds);
}

/** Waits until something holds, while more time passes for the pages than for the test: they wait out no backoff. */
export async function passUntil(pages: readonly Page[], holds: () => Promise<void>): Promise<void> {
  await expect(async () => {
    await Promise.all(pages.map((page) => page.clock.runFor(2_000)));
    await holds();
    // Two seconds at a time, so that a dial has time to get through before the page gives it up.
  }).toPass({ intervals: [100], timeout: 60_000 });
}

/**
 * Has the page freeze, and the machine sleep for some minutes: no timer rings, and when it wakes both clocks have run on. What
 * happens meanwhile is up to the caller.
 */
export async function sleepFor(page: Page, minutes: number, meanwhile: () => Promise<void>): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await meanwhile();
  await session.send("Page.setWebLifecycleState", { state: "active" });
  // Timers that are due ring once, late, as they do after a sleep.
  await page.clock.fastForward(minutes * 60_000);
  await session.detach();
}

/**
 * Hides the page, for which the browser draws nothing and has timers ring once a minute, until it is shown again. `passMinute`
 * is the only time that passes for it meanwhile.
 */
export async function hideWhile(page: Page, meanwhile: (passMinute: () => Promise<void>) => Promise<void>): Promise<void> {
  await setVisibility(page, "hidden");
  await pauseIn(page, 1_000);
  await meanwhile(() => page.clock.fastForward(60_000));
  await page.clock.resume();
  await setVisibility(page, "visible");
}

/** As there is no way to hide a page of a browser without windows. */
async function setVisibility(page: Page, state: DocumentVisibilityState): Promise<void> {
  await page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}
