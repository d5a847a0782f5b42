import { defineConfig } from "@playwright/test";
import { chromium } from "./support/chromium.ts";

/** What the tests need from outside is described in `support/`; `cargo xtask test e2e` provides all of it. */
export default defineConfig({
  testDir: "tests",
  outputDir: "../target/e2e",
  // The tests measure how long things take, and a browser with its server keeps a small machine busy.
  workers: 1,
  // A test that passes only sometimes has found something.
  retries: 0,
  forbidOnly: true,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: { executablePath: chromium() },
    locale: "en-US",
    timezoneId: "UTC",
    trace: "retain-on-failure",
  },
});
