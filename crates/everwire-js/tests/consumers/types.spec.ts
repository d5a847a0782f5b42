import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { Project } from "../support/project.ts";
import { test } from "../support/test.ts";

const run = promisify(execFile);
const tsc = resolve(import.meta.dirname, "../../../../node_modules/.bin/tsc");

test.describe("The types", () => {
  // How Node.js finds modules, and how bundlers do.
  for (const module of ["nodenext", "preserve"]) {
    test(`accept what is right and nothing else, with modules as in ${module}`, async () => {
      const project = await Project.from("types");
      // What it rejects is printed to stdout, which an error does not show by itself.
      await run(tsc, ["--project", project.folder, "--module", module]).catch(({ stdout }) => {
        throw new Error(stdout);
      });
      await project.remove();
    });
  }
});
