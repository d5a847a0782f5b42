import { defineConfig } from "@playwright/test";
import { chromium } from "./support/chromium.ts";

/** What the tests need from outside is described in `support/`; `cargo xtask test e2e` provides all of it. */
export default defineConfig({
  testDir: "tests",
  outputDir: "../target/e2e",
  // Each test has a server and a browser context of its own and waits for events, so two at a time are safe. More would
  // only compete: a page with its server keeps a core busy.
  workers: 2,
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
