import * as vite from "vite";
import { application, echoed, expect, open, places, test } from "../support/test.ts";

test.describe("An application on Vite's development server", () => {
  for (const { place, opener } of places) {
    test(`echoes in ${place}`, async ({ page, companion }) => {
      const project = await application("default");
      const server = await vite.createServer({
        root: project.folder,
        configFile: false,
        logLevel: "warn",
        server: { host: "127.0.0.1", port: 0 },
      });
      await server.listen();
      await page.goto(server.resolvedUrls?.local[0] ?? "");
      expect(await open(page, opener, `${companion.address}/echo`)).toEqual(echoed);
      await server.close();
      await project.remove();
    });
  }
});
