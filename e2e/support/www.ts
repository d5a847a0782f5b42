import { Companion } from "./companion.ts";
import { BUILD_TIMEOUT, Project } from "./project.ts";
import { expect, test as base } from "./test.ts";

export { expect };

/** Tests of the application in `www/`, which the companion server serves. */
export const test = base.extend<object, { site: string }>({
  site: [
    async ({}, use) => {
      const www = await Project.from("www", ["vite"]);
      await use(await www.build());
      await www.remove();
    },
    { scope: "worker", timeout: BUILD_TIMEOUT },
  ],
  companion: async ({ site, serverFlags }, use) => {
    const companion = await Companion.start(serverFlags, site);
    await use(companion);
    await companion.kill();
  },
});
