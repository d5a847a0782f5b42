import { type Page } from "@playwright/test";
import { type Tests, type Wish } from "../react/main.tsx";
import { Companion } from "./companion.ts";
import { BUILD_TIMEOUT, Project } from "./project.ts";
import { expect, test as base } from "./test.ts";

export { expect };

interface Fixtures {
  /** The page with a component that uses `useEverSocket`, once it was shown. */
  feed: Feed;
}

/** Tests of `useEverSocket` in React's Strict Mode. */
export const test = base.extend<Fixtures, { application: Project; site: string }>({
  application: [
    async ({}, use) => {
      const application = await Project.from("e2e/react", ["vite", "react", "react-dom"]);
      await use(application);
      await application.remove();
    },
    { scope: "worker" },
  ],
  site: [async ({ application }, use) => use(await application.build()), { scope: "worker", timeout: BUILD_TIMEOUT }],
  companion: async ({ site, serverFlags }, use) => {
    const companion = await Companion.start(serverFlags, site);
    await use(companion);
    await companion.kill();
  },
  feed: async ({ page, companion }, use) => {
    await page.goto("/");
    await use(new Feed(page, companion));
  },
});

/** A component with a socket. */
export class Feed {
  readonly #page: Page;
  readonly #companion: Companion;

  constructor(page: Page, companion: Companion) {
    this.#page = page;
    this.#companion = companion;
  }

  async show(wish: Wish | null): Promise<void> {
    await this.#page.waitForFunction(() => "tests" in globalThis);
    await this.evaluate((tests, wish) => tests.show(wish), wish);
  }

  /** Shows it and waits until its socket is open. */
  async open(wish: Wish): Promise<void> {
    await this.show(wish);
    await expect(this.#page.getByRole("status")).toHaveText("open");
  }

  async evaluate<Arg, Result>(of: (tests: Tests, arg: Arg) => Result, arg: Arg): Promise<Result> {
    const body = `return (${of.toString()})(tests, arg)`;
    return this.#page.evaluate(([body, arg]) => new Function("arg", body as string)(arg), [body, arg]);
  }

  /** Sends texts, which `/echo` sends back. */
  async send(...texts: string[]): Promise<void> {
    await this.evaluate((tests, texts) => texts.forEach((text) => tests.socket!.send(text)), texts);
  }

  async heard(): Promise<Tests["heard"]> {
    return this.evaluate((tests) => tests.heard, null);
  }

  get messages() {
    return this.#page.getByRole("listitem");
  }

  get reconnecting() {
    return this.#page.getByRole("alert");
  }

  /** How many connections the server has had on an endpoint, and how many of them are open. */
  async connections(endpoint = "/echo"): Promise<{ total: number; open: number }> {
    const metrics = await (await fetch(`${this.#companion.address}/metrics`)).text();
    const read = (name: string) => Number(metrics.split(`\n${name}{endpoint="${endpoint}"} `)[1]?.split("\n")[0]);
    return { total: read("everwire_connections_total"), open: read("everwire_connections") };
  }
}
