import { test as base, expect, type BrowserContext, type BrowserContextOptions, type Page } from "@playwright/test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Companion } from "./companion.ts";
import { PageErrors } from "./page-errors.ts";

export { expect };

interface Options {
  /** What the companion server is started with, beside what every test needs. */
  serverFlags: string[];
  /** Whether a supervisor starts the server again when it is killed, and a journal keeps what it had. */
  supervised: boolean;
}

export interface Fixtures {
  /** A companion server for this test alone; `page.goto("/")` opens its start page. */
  companion: Companion;
  /** Fails the test when a page throws or logs an error that the test does not expect. */
  errors: PageErrors;
  /** Opens an empty page as another visitor: with a storage, a position and permissions of its own. */
  visitor: (options?: BrowserContextOptions) => Promise<Page>;
}

export const test = base.extend<Fixtures & Options>({
  serverFlags: [[], { option: true }],
  supervised: [false, { option: true }],
  companion: async ({ serverFlags, supervised }, use) => {
    const journal = await mkdtemp(join(tmpdir(), "everwire-journal-"));
    const companion = await Companion.start([...serverFlags, ...(supervised ? ["--supervise", "--journal", journal] : [])]);
    await use(companion);
    await companion.kill();
    // A worker that ends with its supervisor may still write.
    await rm(journal, { recursive: true, maxRetries: 5 });
  },
  baseURL: async ({ companion }, use) => {
    await use(companion.address);
  },
  errors: [
    async ({ context }, use) => {
      const errors = new PageErrors();
      errors.watch(context);
      await use(errors);
      expect(errors.unexpected, "errors in the page").toEqual([]);
    },
    { auto: true },
  ],
  visitor: async ({ browser, errors }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (options) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      errors.watch(context);
      return context.newPage();
    });
    await Promise.all(contexts.map((context) => context.close()));
  },
});
