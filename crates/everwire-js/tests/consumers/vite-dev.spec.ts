import * as vite from "vite";
import * as vite7 from "vite-7";
import { Project } from "../../../../e2e/support/project.ts";
import { application, echoed, expect, open, places, test } from "../support/test.ts";

// Before version 8, the development server moves a package's modules to another folder, and leaves its other files behind: the
// package has its module in its JavaScript there.
for (const { version, createServer } of [vite, vite7]) {
  test.describe(`An application on the development server of Vite ${version.split(".")[0]}`, () => {
    for (const { place, opener } of places) {
      test(`echoes in ${place}`, async ({ page, companion }) => {
        const project = await application("default");
        const server = await createServer({
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
}

test("An application with React and channels, on the development server of Vite, sees what it publishes", async ({ page, companion }) => {
  const project = await Project.from("crates/everwire-js/tests/react-client", ["react", "react-dom", "scheduler"]);
  const server = await vite.createServer({
    root: project.folder,
    configFile: false,
    logLevel: "warn",
    server: { host: "127.0.0.1", port: 0, proxy: { "/everwire": { target: companion.address.replace("http", "ws"), ws: true } } },
  });
  await server.listen();
  await page.goto(server.resolvedUrls?.local[0] ?? "");
  await expect(page.getByText("true")).toBeVisible();
  await page.getByRole("button").click();
  await expect(page.getByRole("button")).toHaveText("hello true");
  await server.close();
  await project.remove();
});
