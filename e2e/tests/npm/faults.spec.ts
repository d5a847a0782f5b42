import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Page, type Route } from "@playwright/test";
import { Companion } from "../../support/companion.ts";
import { built } from "../../support/npm/peer.ts";
import { sabotaged } from "../../support/npm/sabotage.ts";
import { expect, test } from "../../support/npm/test.ts";

/** What a socket has dispatched, in a page that has one. */
interface Told {
  readonly type: string;
  readonly cause?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly data?: unknown;
}

/** A page with an EverSocket, `socket`, and what it has dispatched, `told`. */
class Ever {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Loads the package, and does not touch it. */
  async load(address: string): Promise<void> {
    await this.#page.goto(address);
    await this.#page.addScriptTag({ type: "module", content: `window.everwire = await import("/everwire/index.js"); document.title = "loaded";` });
    await expect(this.#page).toHaveTitle("loaded");
  }

  /** Makes a socket that reconnects soon, and sends at once. */
  async connect(url: string, options: object = {}, texts: string[] = []): Promise<void> {
    await this.#page.evaluate(
      ({ url, options, texts }) => {
        const { EverSocket } = (globalThis as any).everwire;
        const backoff = { floor: 20, first: 100, max: 200, quick: 50, quickAfterSilence: 50 };
        const socket = new EverSocket(url, [], { backoff, ...options });
        const told: object[] = [];
        for (const type of ["open", "message", "error", "close", "reconnecting", "reconnected", "drop"]) {
          socket.addEventListener(type, ({ cause, code, reason, message, data }: any) => told.push({ type, cause, code, reason, message, data }));
        }
        texts.forEach((text) => socket.send(text));
        Object.assign(globalThis, { socket, told });
      },
      { url, options, texts },
    );
  }

  told(): Promise<Told[]> {
    return this.#page.evaluate(() => (globalThis as any).told);
  }

  async types(): Promise<string[]> {
    return (await this.told()).map(({ type }) => type);
  }

  /** Waits until an event of this type has come so many times. */
  async until(type: string, count = 1): Promise<void> {
    await this.#page.waitForFunction(([type, count]) => (globalThis as any).told.filter((event: any) => event.type === type).length >= (count as number), [type, count] as const);
  }

  send(...texts: string[]): Promise<string[]> {
    return this.#page.evaluate((texts) => texts.map((text) => (globalThis as any).socket.send(text)), texts);
  }

  state(): Promise<number> {
    return this.#page.evaluate(() => (globalThis as any).socket.readyState);
  }

  /** The texts that came back from an echo. */
  async echoed(): Promise<unknown[]> {
    return (await this.told()).filter(({ type }) => type === "message").map(({ data }) => data);
  }
}

test.describe("with the companion server, EverSocket", () => {
  let companion: Companion;
  let ws: string;
  let ever: Ever;

  test.beforeEach(async ({ page, peer }) => {
    companion = await Companion.start([], built);
    ws = companion.address.replace("http", "ws");
    ever = new Ever(page);
    await ever.load(peer.address);
  });

  test.afterEach(() => companion.kill());

  test("is back when the server is, with all that was sent meanwhile, in order and once", async () => {
    await ever.connect(`${ws}/echo`);
    await ever.until("open");
    await companion.kill();
    await ever.until("reconnecting");
    expect(await ever.state()).toBe(0);
    const texts = Array.from({ length: 20 }, (_, index) => `while down ${index}`);
    expect(new Set(await ever.send(...texts))).toEqual(new Set(["queued"]));
    await companion.restart();
    await ever.until("message", texts.length);
    expect(await ever.echoed()).toEqual(texts);
    expect(await ever.types()).not.toContain("close");
  });

  test("is back after a deployment, which closes with 1001 or 1012", async () => {
    await ever.connect(`${ws}/echo`);
    await ever.until("open");
    await companion.shutDown();
    await ever.until("reconnecting");
    const [drop] = (await ever.told()).filter(({ type }) => type === "reconnecting");
    expect([1001, 1012]).toContain(drop?.code);
    await companion.restart();
    await ever.until("reconnected");
  });

  test("connects as soon as there is a server", async () => {
    await companion.kill();
    await ever.connect(`${ws}/echo`);
    await ever.send("hello");
    await ever.until("reconnecting", 2);
    await companion.restart();
    await ever.until("message");
    expect(await ever.echoed()).toEqual(["hello"]);
  });

  test("goes on after cuts of TCP", async () => {
    await ever.connect(`${ws}/echo?fault=drop:0`);
    await ever.until("open", 3);
    expect(await ever.types()).not.toContain("close");
  });

  test("finds a half-open link by its heartbeat, and leaves it", async () => {
    const heartbeat = { afterSilence: 50, minDeadline: 2_000, maxDeadline: 4_000, sampleEvery: 50 };
    await ever.connect(`${ws}/echo?fault=half-open:4`, { heartbeat });
    await ever.until("reconnecting");
    const [drop] = (await ever.told()).filter(({ type }) => type === "reconnecting");
    expect(drop?.cause).toBe("heartbeat-timeout");
    await ever.until("reconnected");
  });

  test("tries again where the handshake is refused, as long as it may", async () => {
    await ever.connect(`${ws}/echo?fault=refuse:503`, { backoff: { floor: 20, first: 50, max: 50, maxRetries: 2 } });
    await ever.until("close");
    expect(await ever.types()).toEqual(["reconnecting", "reconnecting", "error", "close"]);
  });

  test("takes a close code as final or not by what it means", async () => {
    await ever.connect(`${ws}/echo?fault=close:1008`);
    await ever.until("close");
    expect(await ever.types()).toEqual(["open", "close"]);
    await ever.connect(`${ws}/echo?fault=close:1011`);
    await ever.until("open", 2);
    expect(await ever.types()).not.toContain("close");
  });

  test("hands on what no server should send", async () => {
    await ever.connect(`${ws}/echo?fault=garbage`, { heartbeat: true });
    await ever.until("message", 3);
    expect(await ever.types()).not.toContain("error");
  });

  test("notices that the machine is offline, and is back when it is online", async ({ context }) => {
    await ever.connect(`${ws}/echo`, { heartbeat: { afterSilence: 100, minDeadline: 4_000, maxDeadline: 8_000, wakeDeadline: 300 } });
    await ever.until("open");
    await context.setOffline(true);
    await ever.until("reconnecting");
    await ever.send("from a tunnel");
    await context.setOffline(false);
    await ever.until("message");
    expect(await ever.echoed()).toEqual(["from a tunnel"]);
  });

  test("closes for the back/forward cache, and is back when the page is", async ({ page }) => {
    await ever.connect(`${ws}/echo`);
    await ever.until("open");
    // A page that Playwright drives is never cached, so the events of one that is are told here.
    await page.evaluate(() => globalThis.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
    await ever.until("reconnecting");
    expect((await ever.told()).at(-1)?.cause).toBe("suspended");
    await page.evaluate(() => globalThis.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await ever.until("reconnected");
  });
});

test.describe("the wasm module", () => {
  test("may come late: a socket that is made before it works as any", async ({ page, peer }) => {
    let release: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      void page.route("**/everwire.wasm", async (route) => {
        await new Promise<void>((go) => {
          release = go;
          resolve();
        });
        await route.continue();
      });
    });
    const ever = new Ever(page);
    await ever.load(peer.address);
    await ever.connect(peer.address.replace("http", "ws") + "/echo");
    await asked;
    expect(await ever.state()).toBe(0);
    expect(await ever.send("one", "two")).toEqual(["queued", "queued"]);
    expect(await ever.types()).toEqual([]);
    release?.();
    await ever.until("message", 2);
    expect(await ever.echoed()).toEqual(["one", "two"]);
  });

  test.describe("that the application names while a socket loads the default one", () => {
    let ever: Ever;
    /** Answers the socket's request for the default module. */
    let answer: (how: { status: number; body?: Buffer }) => Promise<void>;

    test.beforeEach(async ({ page, peer }) => {
      const asked = new Promise<Route>((resolve) => void page.route("**/everwire/everwire.wasm", resolve));
      ever = new Ever(page);
      await ever.load(peer.address);
      await ever.connect(peer.address.replace("http", "ws") + "/echo", {}, ["early"]);
      const route = await asked;
      answer = (how) => route.fulfill(how);
    });

    /** Names a module, and says how `init` ends. */
    const init = (page: Page, source: string): Promise<string> =>
      page.evaluate((source) => (globalThis as any).everwire.init(source).then(() => "loaded", ({ message }: Error) => message), source);

    test("is what that socket waits for, although the default is not there", async ({ page }) => {
      const module = await readFile(`${built}/everwire.wasm`);
      await page.route("**/named.wasm", async (route) => {
        await answer({ status: 404 });
        await route.fulfill({ body: module });
      });
      expect(await init(page, "/named.wasm")).toBe("loaded");
      await ever.until("message");
      expect(await ever.echoed()).toEqual(["early"]);
      expect(await ever.types()).toEqual(["open", "message"]);
    });

    test("is the one that counts, although the default comes before it", async ({ page }) => {
      const bad = Buffer.from(await sabotaged(`${built}/everwire.wasm`));
      const good = await readFile(`${built}/everwire.wasm`);
      await page.route("**/named.wasm", async (route) => {
        await answer({ status: 200, body: bad });
        await route.fulfill({ body: good });
      });
      expect(await init(page, "/named.wasm")).toBe("loaded");
      await ever.until("open");
      // The default would trap.
      await page.evaluate(() => (globalThis as any).socket.reconnect());
      await ever.until("open", 2);
      expect(await ever.types()).not.toContain("error");
    });

    test("and is not there either is an error of both that names it", async ({ page }) => {
      await page.route("**/named.wasm", (route) => route.fulfill({ status: 404 }));
      expect(await init(page, "/named.wasm")).toMatch(/named\.wasm answered 404/);
      await ever.until("close");
      expect((await ever.told()).find(({ type }) => type === "error")?.message).toMatch(/named\.wasm answered 404/);
    });

    test("need not be waited for where it is given as bytes: that socket dials at once", async ({ page }) => {
      const module = await readFile(`${built}/everwire.wasm`);
      await page.evaluate((bytes) => (globalThis as any).everwire.initSync(Uint8Array.from(bytes)), [...module]);
      await ever.until("message");
      expect(await ever.echoed()).toEqual(["early"]);
      await answer({ status: 404 });
    });
  });

  test("may come from another realm, in each of its forms", async ({ page, peer }) => {
    await page.goto(peer.address);
    const outcomes = await page.evaluate(async () => {
      const frame = document.body.appendChild(document.createElement("iframe")).contentWindow as any;
      const address = `${location.origin}/everwire/everwire.wasm`;
      const bytes = await (await frame.fetch(address)).arrayBuffer();
      const sources = {
        URL: new frame.URL(address),
        Request: new frame.Request(address),
        Response: await frame.fetch(address),
        ArrayBuffer: bytes,
        Uint8Array: new frame.Uint8Array(bytes),
        Module: await frame.WebAssembly.compile(bytes),
      };
      const outcomes: Record<string, string> = {};
      for (const [name, source] of Object.entries(sources)) {
        // Under an address of its own it is another instance of the package, which has no module yet.
        const { init, EverSocket } = await import(`/everwire/index.js?${name}`);
        const loaded: string = await init(source).then(() => "loaded", String);
        const socket = new EverSocket(location.href.replace("http", "ws") + "echo");
        const next = await new Promise<string>((resolve) => (socket.onopen = socket.onerror = ({ type }: Event) => resolve(type)));
        outcomes[name] = `${loaded}, ${next}`;
        socket.close();
      }
      return outcomes;
    });
    const names = ["URL", "Request", "Response", "ArrayBuffer", "Uint8Array", "Module"];
    expect(outcomes).toEqual(Object.fromEntries(names.map((name) => [name, "loaded, open"])));
  });

  test("that is not served is an error and a close that say so, and what waited comes back", async ({ page, peer }) => {
    let isServed = false;
    await page.route("**/everwire.wasm", (route) => (isServed ? route.continue() : route.fulfill({ status: 404, body: "not here" })));
    const ever = new Ever(page);
    await ever.load(peer.address);
    await ever.connect(peer.address.replace("http", "ws") + "/echo", {}, ["lost"]);
    await ever.until("close");
    const told = await ever.told();
    expect(told.map(({ type }) => type)).toEqual(["drop", "error", "close"]);
    expect(told[0]).toMatchObject({ reason: "closed", data: "lost" });
    expect(told[1]?.message).toMatch(/wasm.*404/s);
    expect(told[2]).toMatchObject({ code: 1006 });
    expect(told[2]?.reason).toMatch(/wasm/);
    expect(await ever.state()).toBe(3);

    isServed = true;
    await page.evaluate(() => (globalThis as any).socket.reconnect());
    await ever.until("open");
  });

  test("that is no wasm is an error and a close too", async ({ page, peer }) => {
    await page.route("**/everwire.wasm", (route) => route.fulfill({ contentType: "application/wasm", body: "<!doctype html>" }));
    const ever = new Ever(page);
    await ever.load(peer.address);
    await ever.connect(peer.address.replace("http", "ws") + "/echo");
    await ever.until("close");
    expect(await ever.types()).toEqual(["error", "close"]);
  });

  test("that traps closes every socket with an error, and the next socket has an instance of its own", async ({ page, peer }) => {
    const ever = new Ever(page);
    await ever.load(peer.address);
    await page.evaluate((bytes) => (globalThis as any).everwire.initSync(Uint8Array.from(bytes)), [...(await sabotaged(`${built}/everwire.wasm`))]);
    const ws = peer.address.replace("http", "ws");
    const ids = [randomUUID(), randomUUID()] as const;
    await ever.connect(`${ws}/echo?id=${ids[0]}`);
    await ever.until("open");
    const other = await page.evaluateHandle(() => (globalThis as any).told as Told[]);
    await ever.connect(`${ws}/echo?id=${ids[1]}`);
    await ever.until("open");

    await page.evaluate(() => (globalThis as any).socket.reconnect());

    await ever.until("close");
    const told = await ever.told();
    expect(told.map(({ type }) => type)).toEqual(["open", "error", "close"]);
    expect(told[1]?.message).toMatch(/wasm.*unreachable/s);
    expect(told[2]).toMatchObject({ code: 1006 });
    expect(told[2]?.reason).toMatch(/wasm/);
    expect(await ever.state()).toBe(3);
    expect(await ever.send("x")).toEqual(["refused"]);
    expect((await other.jsonValue()).map(({ type }) => type)).toEqual(["open", "error", "close"]);
    // The browser's sockets are gone too.
    for (const id of ids) {
      await page.evaluate((id) => fetch(`/seen?id=${id}`).then((answer) => answer.text()), id);
      expect(peer.seen(id).map(({ code }) => code)).toEqual([1005]);
    }

    await ever.connect(`${ws}/echo`);
    await ever.send("good as new");
    await ever.until("message");
    expect(await ever.echoed()).toEqual(["good as new"]);
  });
});
