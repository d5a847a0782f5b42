import { BUILD_TIMEOUT, Project } from "../../../../e2e/support/project.ts";
import { NextApplication } from "../support/next.ts";
import { expect, test as base } from "../support/test.ts";

for (const bundler of ["turbopack", "webpack"] as const) {
  const test = base.extend<object, { next: NextApplication }>({
    next: [
      async ({}, use) => {
        const project = await Project.from("crates/everwire-js/tests/next", ["next", "react", "react-dom"]);
        await NextApplication.build(project, bundler);
        const application = await NextApplication.start(project);
        await use(application);
        await application.stop();
        await project.remove();
      },
      { scope: "worker", timeout: BUILD_TIMEOUT },
    ],
  });

  test.describe(`An application of Next.js, built with ${bundler}`, () => {
    for (const [kind, path] of [
      ["a page of the app router", "/"],
      ["a page of the pages router", "/plain"],
    ] as const) {
      test(`has a socket in ${kind}`, async ({ next, page, companion }) => {
        await page.goto(`${next.address}${path}?server=${encodeURIComponent(`${companion.address}/echo`)}`);
        await expect(page.locator("output")).toHaveText("is anybody there?");
      });
    }

    test("has a client of channels in a page of the app router", async ({ next, page, companion }) => {
      await page.goto(`${next.address}/chat?server=${encodeURIComponent(`${companion.address}/everwire`)}`);
      await page.getByRole("button").click();
      await expect(page.getByRole("button")).toHaveText("hello true");
    });

    test("has a socket in a route", async ({ next, companion }) => {
      const answer = await fetch(`${next.address}/echo?server=${encodeURIComponent(`${companion.address}/echo`)}`);
      expect(await answer.text()).toBe("is anybody there?");
    });
  });
}
