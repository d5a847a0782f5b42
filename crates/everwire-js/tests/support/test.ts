import { type Page } from "@playwright/test";
import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Companion } from "../../../../e2e/support/companion.ts";
import { expect, test as base } from "../../../../e2e/support/test.ts";
import { type Everwire } from "./consumers.ts";
import { Project } from "../../../../e2e/support/project.ts";

export { expect };

interface Fixtures {
  /** What the companion server serves beside its endpoints. */
  site: string;
}

export const test = base.extend<Fixtures>({
  site: async ({}, use) => {
    const project = await Project.from("crates/everwire-js/tests/application");
    await use(project.folder);
    await project.remove();
  },
  companion: async ({ site }, use) => {
    const companion = await Companion.start([], site);
    await use(companion);
    await companion.kill();
  },
});

/** The application of somebody who gets the package in this way. */
export async function application(everwire: Everwire): Promise<Project> {
  const project = await Project.from("crates/everwire-js/tests/application");
  await cp(project.path("everwire", `${everwire}.js`), project.path("src/everwire.js"));
  return project;
}

/** Sees to it that wasm is served where the application says that it is, and nowhere where it should need none. */
export async function placeWasm(project: Project, everwire: Everwire, site: string): Promise<void> {
  if (everwire === "served") {
    await cp(project.path("node_modules/everwire/dist/everwire.wasm"), join(site, "assets/core.wasm"));
  }
  if (everwire === "inline") {
    const files = await readdir(site, { recursive: true });
    await Promise.all(files.filter((file) => file.endsWith(".wasm")).map((file) => rm(join(site, file))));
  }
}

/** The places where a socket can be opened, and the functions of the application that do it there. */
export const places = [
  { place: "a window", opener: "inWindow" },
  { place: "a dedicated worker", opener: "inDedicatedWorker" },
  { place: "a shared worker", opener: "inSharedWorker" },
] as const;

/** What the application tells of its socket. */
export interface Told {
  readonly className: string;
  readonly readyState: number;
  readonly outcome: string;
  readonly echoed?: string;
  readonly failed?: boolean;
  readonly code?: number;
  readonly reason?: string;
}

/** Has the application that a page has loaded open a socket. */
export async function open(page: Page, opener: string, url: string): Promise<Told> {
  await page.waitForFunction((opener) => opener in globalThis, opener);
  return page.evaluate(([opener, url]) => (globalThis as any)[opener](url), [opener, url] as const);
}

/** What it tells when all goes well. */
export const echoed: Told = { className: "EverSocket", readyState: 0, outcome: "queued", echoed: "is anybody there?" };
