import { expect, test } from "../../support/libraries/page.ts";

test.describe("when the page comes back from the back/forward cache", () => {
  for (const library of ["graphql", "mqtt", "phoenix", "centrifuge", "yjs"] as const) {
    test(`${library} subscribes again`, async ({ start, page }) => {
      const session = await start(library, "single");
      // Playwright switches the cache off; these are the events that it sends.
      await page.evaluate(() => {
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
      });
      await session.hearsNews();
      await session.isHeard();
      expect(session.link.made).toBe(2);
    });
  }
});
