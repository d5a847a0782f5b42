import { defineConfig } from "@playwright/test";
import base from "../../../e2e/playwright.config.ts";

/** What the tests need from outside is described in `support/`; `cargo xtask test npm` provides all of it. */
export default defineConfig(base, {
  testDir: "consumers",
  outputDir: "../../../target/npm-tests",
});
