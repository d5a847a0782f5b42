import { consumers } from "../support/consumers.ts";
import { application, echoed, expect, open, placeWasm, places, test as base } from "../support/test.ts";

for (const consumer of consumers) {
  // A fixture rather than a hook: the server, which every hook is given too, has to know what it serves.
  const test = base.extend<object, { built: string }>({
    built: [
      async ({}, use) => {
        const project = await application(consumer.everwire);
        const built = await consumer.build(project);
        await placeWasm(project, consumer.everwire, built);
        await use(built);
        await project.remove();
      },
      { scope: "worker" },
    ],
    site: ({ built }, use) => use(built),
  });

  test.describe(`An application by ${consumer.name}`, () => {
    for (const { place, opener } of places) {
      test(`echoes in ${place}`, async ({ page, companion }) => {
        await page.goto("/");
        expect(await open(page, opener, `${companion.address}/echo`)).toEqual(echoed);
      });
    }
  });
}
