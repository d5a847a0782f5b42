import { type BrowserContext } from "@playwright/test";

/** What went wrong in the pages of a test, in the order in which it did. */
export class PageErrors {
  readonly seen: string[] = [];
  #expected: RegExp[] = [];

  /** Takes in what the pages of a context throw and log. */
  watch(context: BrowserContext): void {
    context.on("weberror", (event) => this.seen.push(event.error().stack ?? event.error().message));
    context.on("console", (message) => {
      if (message.type() === "error") {
        this.seen.push(message.text());
      }
    });
  }

  /** Says that errors like this one are part of the test. */
  expect(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  /** Says that connections fail in this test: browsers log each as an error, and no page can keep them from it. */
  expectLostConnections(): void {
    this.expect(/^WebSocket connection to '.*' failed/);
  }

  get unexpected(): string[] {
    return this.seen.filter((error) => !this.#expected.some((pattern) => pattern.test(error)));
  }
}
