import { test as base, expect } from "@playwright/test";
import { Companion } from "./companion.ts";

export { expect };

interface Fixtures {
  /** A companion server for this test alone; `page.goto("/")` opens its start page. */
  companion: Companion;
  /** Fails the test when a page throws or logs an error that the test does not expect. */
  errors: PageErrors;
}

/** What went wrong in the page, in the order in which it did. */
export class PageErrors {
  readonly seen: string[] = [];
  #expected: RegExp[] = [];

  /** Says that errors like this one are part of the test: a refused handshake is one, in the browser's eyes. */
  expect(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  get unexpected(): string[] {
    return this.seen.filter((error) => !this.#expected.some((pattern) => pattern.test(error)));
  }
}

export const test = base.extend<Fixtures>({
  companion: async ({}, use) => {
    const companion = await Companion.start();
    await use(companion);
    await companion.kill();
  },
  baseURL: async ({ companion }, use) => {
    await use(companion.address);
  },
  errors: [
    async ({ context }, use) => {
      const errors = new PageErrors();
      context.on("weberror", (event) => errors.seen.push(event.error().stack ?? event.error().message));
      context.on("console", (message) => {
        if (message.type() === "error") {
          errors.seen.push(message.text());
        }
      });
      await use(errors);
      expect(errors.unexpected, "errors in the page").toEqual([]);
    },
    { auto: true },
  ],
});
