import * as esbuild from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { withVite } from "../support/consumers.ts";
import { Project } from "../../../../e2e/support/project.ts";
import { expect, test as base } from "../support/test.ts";

/** Vite finds the wasm file of `everwire`; esbuild copies none, and is given the hook over `everwire/inline`. */
const builders = { Vite: withVite, "esbuild and everwire/inline/react": withEsbuild };

for (const [name, build] of Object.entries(builders)) {
  const test = base.extend({
    site: async ({}, use) => {
      const project = await Project.from("crates/everwire-js/tests/react", ["react", "react-dom", "scheduler"]);
      await use(await build(project));
      await project.remove();
    },
  });

  test.describe(`An application with React, by ${name},`, () => {
    test("has one socket, of the class that everwire exports, and sees what comes", async ({ page }) => {
      const dials: string[] = [];
      page.on("websocket", (socket) => dials.push(socket.url()));
      await page.goto("/");
      await expect(page.locator("output")).toHaveText("true is anybody there?");
      expect(dials).toHaveLength(1);
    });
  });
}

async function withEsbuild(project: Project): Promise<string> {
  const source = project.path("src/index.js");
  const text = await readFile(source, "utf8");
  await writeFile(source, text.replace('"everwire"', '"everwire/inline"').replace('"everwire/react"', '"everwire/inline/react"'));
  await esbuild.build({ absWorkingDir: project.folder, entryPoints: [source], bundle: true, format: "esm", outdir: "dist", logLevel: "warning" });
  const html = await readFile(project.path("index.html"), "utf8");
  await writeFile(project.path("dist/index.html"), html.replace("/src/index.js", "/index.js"));
  return project.path("dist");
}
