import { type Page } from "@playwright/test";
import { randomUUID } from "node:crypto";
import { type Kind, type Library, type Tests } from "../../libraries/main.ts";
import { Companion } from "../companion.ts";
import { BUILD_TIMEOUT, Project } from "../project.ts";
import { TcpLink } from "../tcp-link.ts";
import { expect, test as base } from "../test.ts";
import { centrifuge } from "./centrifuge.ts";
import { graphql } from "./graphql.ts";
import { mqtt } from "./mqtt.ts";
import { phoenix } from "./phoenix.ts";
import { type LibraryServer } from "./server.ts";
import { yjs } from "./yjs.ts";

export { expect };

const servers: Record<Library, () => Promise<LibraryServer>> = { graphql, mqtt, yjs, phoenix, centrifuge };
const packages = ["graphql-ws", "mqtt", "y-websocket", "yjs", "phoenix", "centrifuge"];

interface Fixtures {
  /** Subscribes with a library that is handed a class, to a server of its own or to that of another session. */
  start: (library: Library, kind: Kind, other?: Session) => Promise<Session>;
}

/** Tests of other people's libraries that are handed EverSocket as their WebSocket class. */
export const test = base.extend<Fixtures, { site: string }>({
  site: [
    async ({}, use) => {
      const application = await Project.from("e2e/libraries", ["vite", ...packages]);
      await use(await application.build());
      await application.remove();
    },
    { scope: "worker", timeout: BUILD_TIMEOUT },
  ],
  companion: async ({ site, serverFlags }, use) => {
    const companion = await Companion.start(serverFlags, site);
    await use(companion);
    await companion.kill();
  },
  start: async ({ page, errors }, use) => {
    errors.expectLostConnections();
    await page.goto("/");
    await page.waitForFunction(() => "tests" in globalThis);
    const ends: (() => Promise<void>)[] = [];
    const connect = async (library: Library) => {
      const server = await servers[library]();
      const link = await TcpLink.to(server.port);
      ends.push(() => link.stop(), () => server.stop());
      return { server, link };
    };
    await use(async (library, kind, other) => {
      const { server, link } = other ?? (await connect(library));
      const session = new Session(page, `${library}, ${kind}`, server, link);
      await session.start(library, kind);
      await session.hearsNews();
      return session;
    });
    for (const end of ends) {
      await end();
    }
  },
});

/** A library's client in the page, with its server and the wire between them. */
export class Session {
  readonly link: TcpLink;
  readonly server: LibraryServer;
  readonly #page: Page;
  readonly #name: string;

  constructor(page: Page, name: string, server: LibraryServer, link: TcpLink) {
    this.#page = page;
    this.#name = name;
    this.server = server;
    this.link = link;
  }

  async start(library: Library, kind: Kind): Promise<void> {
    const url = `ws://127.0.0.1:${this.link.port}`;
    await this.#evaluate(([name, ...args]: [string, Library, Kind, string]) => tests.start(name, ...args), [this.#name, library, kind, url]);
  }

  /** Publishes by the library, and waits until the server has heard it. */
  async isHeard(): Promise<void> {
    const text = randomUUID();
    await this.say(text);
    await expect.poll(() => this.server.heard, `${this.#name} is heard`).toContain(text);
  }

  /** The texts that the library has received. */
  async received(): Promise<string[]> {
    return this.#evaluate((name: string) => tests.sessions[name]!.received, this.#name);
  }

  /** Publishes by the library. */
  async say(text: string): Promise<void> {
    await this.#evaluate(([name, text]: [string, string]) => tests.sessions[name]!.say(text), [this.#name, text]);
  }

  /** Has the server publish until something new has come: what it said before there was a subscription went to nobody. */
  async hearsNews(): Promise<void> {
    const said = new Set<string>();
    const heard = async () => {
      const text = randomUUID();
      said.add(text);
      this.server.say(text);
      return (await this.received()).some((text) => said.has(text));
    };
    await expect.poll(heard, { intervals: [50], message: `${this.#name} hears news` }).toBe(true);
  }

  async #evaluate<Arg, Result>(of: (arg: Arg) => Result, arg: Arg): Promise<Result> {
    return this.#page.evaluate(([body, arg]) => new Function("arg", `return (${body as string})(arg)`)(arg), [of.toString(), arg]);
  }
}

/** What the page of the libraries offers. */
declare const tests: Tests;
