import { Project } from "../../../../e2e/support/project.ts";
import { test } from "../support/test.ts";

test.describe("The types", () => {
  // How Node.js finds modules, and how bundlers do.
  for (const module of ["nodenext", "preserve"]) {
    test(`accept what is right and nothing else, with modules as in ${module}`, async () => {
      const project = await Project.from("crates/everwire-js/tests/types");
      await project.run("tsc", "--project", ".", "--module", module);
      await project.remove();
    });
  }
});
