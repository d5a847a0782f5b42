import { nodeResolve } from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { rollup } from "rollup";
import webpack from "webpack";
import { type Project } from "../../../../e2e/support/project.ts";

/** The files of `application/everwire`, by which the application gets the package. */
export type Everwire = "default" | "inline" | "served" | "unbundled" | "unbundled-inline";

/** A way from the sources of an application to something that a browser loads. */
export interface Consumer {
  readonly name: string;
  readonly everwire: Everwire;
  /** Builds the application, and gives the folder to serve. */
  build(project: Project): Promise<string>;
}

/** No bundler is configured but for where the sources are, and for Rollup to look into `node_modules` at all. */
export const consumers: readonly Consumer[] = [
  { name: "Vite", everwire: "default", build: withVite },
  { name: "Vite with everwire/inline", everwire: "inline", build: withVite },
  { name: "webpack", everwire: "default", build: withWebpack },
  { name: "webpack with everwire/inline", everwire: "inline", build: withWebpack },
  { name: "esbuild with everwire/inline", everwire: "inline", build: withEsbuild },
  { name: "esbuild with the wasm served as a file", everwire: "served", build: withEsbuild },
  { name: "Rollup with everwire/inline", everwire: "inline", build: withRollup },
  { name: "Rollup with the wasm served as a file", everwire: "served", build: withRollup },
  { name: "no bundler", everwire: "unbundled", build: async (project) => project.folder },
];

const workers = ["dedicated-worker", "shared-worker"];

export function withVite(project: Project): Promise<string> {
  return project.build();
}

export async function withWebpack(project: Project): Promise<string> {
  await compile({ context: project.folder, mode: "production", output: { path: project.path("dist") } });
  return page(project, "main.js");
}

/** Runs webpack, and fails for a warning, too. */
export async function compile(configuration: webpack.Configuration): Promise<void> {
  const compiler = webpack(configuration);
  const stats = await new Promise<webpack.Stats>((resolve, reject) => {
    compiler.run((error, stats) => (stats === undefined ? reject(error) : resolve(stats)));
  });
  await new Promise((resolve) => compiler.close(resolve));
  if (stats.hasErrors() || stats.hasWarnings()) {
    throw new Error(stats.toString());
  }
}

async function withEsbuild(project: Project): Promise<string> {
  await esbuild.build({
    absWorkingDir: project.folder,
    entryPoints: ["index", ...workers].map((name) => `src/${name}.js`),
    bundle: true,
    format: "esm",
    outdir: "dist",
    logLevel: "warning",
  });
  return page(project, "index.js");
}

async function withRollup(project: Project): Promise<string> {
  const input = ["index", ...workers].map((name) => project.path(`src/${name}.js`));
  const bundle = await rollup({
    input,
    plugins: [nodeResolve()],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await bundle.write({ dir: project.path("dist") });
  await bundle.close();
  return page(project, "index.js");
}

/** Puts a page that loads it beside what was built. */
async function page(project: Project, script: string): Promise<string> {
  const html = await readFile(project.path("index.html"), "utf8");
  await writeFile(project.path("dist/index.html"), html.replace("/src/index.js", `/${script}`));
  return project.path("dist");
}
