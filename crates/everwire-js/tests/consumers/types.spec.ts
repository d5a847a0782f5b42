import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { writeFile } from "node:fs/promises";
import { Project } from "../../../../e2e/support/project.ts";
import { test as base } from "../support/test.ts";

const require = createRequire(import.meta.url);
/** The compilers: the project's own, and the last one that finds modules as Node.js 10 did. */
const compilers = {
  "TypeScript 7": "tsc",
  "TypeScript 5": join(dirname(require.resolve("typescript/package.json")), "bin/tsc"),
};

const test = base.extend<{ project: Project }>({
  project: async ({}, use) => {
    const project = await Project.from("crates/everwire-js/tests/types", ["@types/node", "@types/react", "vue"]);
    await use(project);
    await project.remove();
  },
});

test.describe("The types", () => {
  for (const [name, compiler, ...options] of [
    ["TypeScript 7 finds modules as Node.js does", "TypeScript 7", "--module", "nodenext"],
    ["TypeScript 7 finds modules as bundlers do", "TypeScript 7", "--module", "preserve"],
    ["TypeScript 5 finds modules as Node.js does", "TypeScript 5", "--module", "nodenext"],
    ["TypeScript 5 finds modules as Node.js 10 did", "TypeScript 5", "--module", "esnext", "--moduleResolution", "node10"],
  ] as const) {
    test(`accept what is right and nothing else, where ${name}`, async ({ project }) => {
      await project.run(compilers[compiler], "--project", ".", ...options);
    });
  }

  for (const [name, platform] of Object.entries({
    "no types of a platform": { lib: ["es2022"], types: [] },
    "those of a window": { lib: ["es2022", "dom"], types: [] },
    "those of a worker": { lib: ["es2022", "webworker"], types: [] },
    "those of Node.js": { lib: ["es2022"], types: ["node"] },
  })) {
    for (const [modules, compiler, type, options] of [
      ["modules", "TypeScript 7", "module", { module: "nodenext" }],
      ["CommonJS", "TypeScript 7", "commonjs", { module: "nodenext" }],
      ["modules as of Node.js 10", "TypeScript 5", "module", { module: "esnext", moduleResolution: "node10" }],
    ] as const) {
      test(`hold for ${modules} with the lib ES2022 and ${name}`, async ({ project }) => {
        const isBare = platform.lib.length + platform.types.length === 1;
        const files = ["program.ts", "client.ts", "left-out.ts", ...(isBare ? ["no-platform.ts"] : [])];
        await writeFile(project.path("package.json"), JSON.stringify({ type }));
        const configuration = { extends: "../tsconfig.json", compilerOptions: { ...platform, ...options }, include: [], files };
        await writeFile(project.path("elsewhere/tsconfig.json"), JSON.stringify(configuration));
        await project.run(compilers[compiler], "--project", "elsewhere");
      });
    }
  }
});
