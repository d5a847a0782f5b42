import { consumers } from "../support/consumers.ts";
import { type Project } from "../support/project.ts";
import { application, echoed, expect, open, placeWasm, places, test as base } from "../support/test.ts";

for (const consumer of consumers) {
  let project: Project;
  let built: string;
  const test = base.extend({ site: ({}, use) => use(built) });

  test.describe(`An application by ${consumer.name}`, () => {
    test.beforeAll(async () => {
      project = await application(consumer.everwire);
      built = await consumer.build(project);
      await placeWasm(project, consumer.everwire, built);
    });
    test.afterAll(() => project.remove());

    for (const { place, opener } of places) {
      test(`echoes in ${place}`, async ({ page, companion }) => {
        await page.goto("/");
        expect(await open(page, opener, `${companion.address}/echo`)).toEqual(echoed);
      });
    }
  });
}
