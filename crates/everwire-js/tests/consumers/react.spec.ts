import { nodeResolve } from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rollup } from "rollup";
import { withVite, withWebpack } from "../support/consumers.ts";
import { Project } from "../../../../e2e/support/project.ts";
import { expect, test as base } from "../support/test.ts";

const packages = ["react", "react-dom", "scheduler", "vue"];

/** Vite and webpack find the wasm file; esbuild copies none, and is given the hooks with the module in them. */
const builders = { Vite: withVite, webpack: withWebpack, "esbuild and everwire/inline/react": withEsbuild };

function testsOf(folder: string, build: (project: Project) => Promise<string>) {
  return base.extend<object, { built: string }>({
    built: [
      async ({}, use) => {
        const project = await Project.from(`crates/everwire-js/tests/${folder}`, packages);
        await use(await build(project));
        await project.remove();
      },
      { scope: "worker" },
    ],
    site: ({ built }, use) => use(built),
  });
}

for (const [name, build] of Object.entries(builders)) {
  const test = testsOf("react", build);

  test.describe(`An application with React, by ${name},`, () => {
    test("has one socket, of the class that everwire exports, and sees what comes", async ({ page }) => {
      const dials: string[] = [];
      page.on("websocket", (socket) => dials.push(socket.url()));
      await page.goto("/");
      await expect(page.locator("output")).toHaveText("true is anybody there?");
      expect(dials).toHaveLength(1);
    });

    test("downloads nothing of the client of channels, which it does not use", async ({ built }) => {
      const scripts = (await readdir(built, { recursive: true })).filter((file) => file.endsWith(".js"));
      expect(scripts).not.toHaveLength(0);
      // Vite copies the client's wasm file, which nothing refers to then.
      for (const script of scripts) expect(await readFile(join(built, script), "utf8")).not.toMatch(/everwire\.v1|client[^/]*\.wasm/);
    });
  });
}

for (const [folder, name, build] of [
  ["react-client", "React and channels, by Vite,", withVite],
  ["react-client", "React and channels, by esbuild and everwire/inline/react,", withEsbuild],
  ["vue", "Vue and channels, by Vite,", withVite],
  ["vue", "Vue and channels, by webpack,", withWebpack],
] as const) {
  const test = testsOf(folder, build);

  test(`An application with ${name} has one client, of the class that everwire exports, and sees what it publishes`, async ({ page }) => {
    const dials: string[] = [];
    page.on("websocket", (socket) => dials.push(new URL(socket.url()).pathname));
    await page.goto("/");
    await expect(page.getByText("true")).toBeVisible();
    await page.getByRole("button").click();
    await expect(page.getByRole("button")).toHaveText("hello true");
    expect(dials).toEqual(["/everwire"]);
  });
}

base("Rollup leaves out the hooks that are not used, and what they import", async () => {
  const project = await Project.from("crates/everwire-js/tests/react");
  const code = async (text: string) => {
    await writeFile(project.path("entry.js"), text);
    const bundle = await rollup({ input: project.path("entry.js"), plugins: [nodeResolve()], external: ["react"], onwarn() {} });
    const { output } = await bundle.generate({});
    await bundle.close();
    return output.map((part) => ("code" in part ? part.code : "")).join();
  };
  expect(await code('export { useEverSocket } from "everwire/react";')).not.toContain("everwire.v1");
  expect(await code('export { useClient } from "everwire/react";')).toContain("everwire.v1");
  await project.remove();
});

async function withEsbuild(project: Project): Promise<string> {
  const source = project.path("src/index.js");
  const text = await readFile(source, "utf8");
  await writeFile(source, text.replace(/"everwire(\/(client|react))?"/g, (_, path = "") => `"everwire/inline${path}"`));
  await esbuild.build({ absWorkingDir: project.folder, entryPoints: [source], bundle: true, format: "esm", outdir: "dist", logLevel: "warning" });
  const html = await readFile(project.path("index.html"), "utf8");
  await writeFile(project.path("dist/index.html"), html.replace("/src/index.js", "/index.js"));
  return project.path("dist");
}
