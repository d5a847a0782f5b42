import * as esbuild from "esbuild";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Project } from "../../../../e2e/support/project.ts";
import { compile } from "../support/consumers.ts";
import { webSocket } from "../support/node.ts";
import { expect, test } from "../support/test.ts";

/** Each gives the name of what it has built from `bundled.js`, below `dist`: a program for Node.js in one file. */
const bundlers: Record<string, (project: Project) => Promise<string>> = {
  "esbuild as CommonJS": (project) => withEsbuild(project, "cjs"),
  "esbuild as a module": (project) => withEsbuild(project, "esm"),
  webpack: async (project) => {
    const output = { path: project.path("dist"), filename: "bundled.cjs" };
    await compile({ context: project.folder, entry: "./bundled.js", mode: "production", target: "node", output });
    return output.filename;
  },
  "Vite with everything bundled": async (project) => {
    await project.run("vite", "build", "--config", "vite.server.config.js", "--logLevel", "warn");
    return "bundled.js";
  },
};

test.describe("A program for a server", () => {
  for (const [name, build] of Object.entries(bundlers)) {
    test(`echoes when it is bundled by ${name}, and ends`, async ({ companion }) => {
      const project = await Project.from("crates/everwire-js/tests/node-program", ["react", "vite"]);
      const file = await build(project);
      // Where nothing of what it was built from is in reach.
      const elsewhere = await mkdtemp(join(tmpdir(), "everwire-bundled-"));
      await cp(project.path("dist", file), join(elsewhere, file));
      await cp(project.path("package.json"), join(elsewhere, "package.json"));
      const printed = await project.run(process.execPath, ...webSocket, join(elsewhere, file), `${companion.address}/echo`);
      expect(printed).toBe("text 1,2,3\nfunction\n");
      await Promise.all([project.remove(), rm(elsewhere, { recursive: true })]);
    });
  }
});

test("The entries with the hook are marked as those of client components", async () => {
  const project = await Project.from("crates/everwire-js/tests/node-program");
  const parts = ["react", "react-client", "react-socket"].flatMap((part) => [`${part}.js`, `inline-${part}.js`]);
  for (const entry of [...parts, "react.cjs"]) {
    // A minifier that knows modules to be strict drops directives unless it is told not to.
    const code = await readFile(project.path("node_modules/everwire/dist", entry), "utf8");
    expect(code, entry).toMatch(/^("use strict";\s*)?"use client";/);
  }
  await project.remove();
});

async function withEsbuild(project: Project, format: "cjs" | "esm"): Promise<string> {
  const file = `bundled.${format === "cjs" ? "cjs" : "js"}`;
  const { warnings } = await esbuild.build({
    absWorkingDir: project.folder,
    entryPoints: ["bundled.js"],
    bundle: true,
    platform: "node",
    format,
    outfile: `dist/${file}`,
    logLevel: "silent",
  });
  expect(warnings).toEqual([]);
  return file;
}
