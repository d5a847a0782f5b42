import { type Page } from "@playwright/test";
import { resolve } from "node:path";
import { expect, test } from "../../support/npm/test.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Loads the package and, first, what patches the platform. */
async function load(page: Page, address: string, patch?: string): Promise<void> {
  await page.goto(address);
  if (patch !== undefined) {
    await page.addScriptTag({ path: resolve(root, "node_modules", patch) });
  }
  await page.addScriptTag({ type: "module", content: `window.everwire = await import("/everwire/index.js"); document.title = "loaded";` });
  await expect(page).toHaveTitle("loaded");
}

// Angular redraws when something ran in its zone, and tracing tools keep their context in one. The browser's class keeps to it, too.
test("listeners run in the zone where they were added, whichever the socket was made in", async ({ page, peer }) => {
  await load(page, peer.address, "zone.js/bundles/zone.umd.js");
  const seen = await page.evaluate(async (url) => {
    const { Zone, everwire } = globalThis as any;
    const zones = Object.fromEntries(["made", "one", "other", "removed"].map((name) => [name, Zone.current.fork({ name })]));
    const kinds = {
      browser: () => new WebSocket(url),
      ever: () => new everwire.EverSocket(url),
      once: () => new everwire.EverSocket(url, [], { reconnect: false }),
    };
    const seen: Record<string, string[]> = {};
    for (const [kind, make] of Object.entries(kinds)) {
      const socket = zones.made.run(make);
      const log: string[] = (seen[kind] = []);
      const note = (what: string) => (event: Event) => log.push(`${what}: ${event.type} in ${Zone.current.name}`);
      const heard = new Promise<void>((resolve) => {
        zones.one.run(() => {
          socket.addEventListener("open", note("a listener"));
          socket.addEventListener("message", note("a listener"));
        });
        zones.other.run(() => {
          socket.addEventListener("message", { handleEvent: note("an object") }, { once: true });
          socket.onmessage = note("a handler");
          socket.onopen = note("a handler");
        });
        zones.one.run(() => (socket.onopen = note("a handler set again")));
        const gone = note("a removed listener");
        zones.removed.run(() => socket.addEventListener("message", gone));
        socket.removeEventListener("message", gone);
        socket.addEventListener("message", () => resolve());
      });
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      socket.send("hello");
      await heard;
      socket.close();
    }
    return seen;
  }, `${peer.address.replace("http", "ws")}/echo`);
  const expected = [
    "a listener: open in one",
    "a handler set again: open in one",
    "a listener: message in one",
    "an object: message in other",
    "a handler: message in other",
  ];
  expect(seen).toEqual({ browser: expected, ever: expected, once: expected });
});

test("a listener that was taken off is not kept by the signal that it was added with", async ({ page, peer }) => {
  await load(page, peer.address);
  await page.evaluate(async (url) => {
    const { EverSocket } = (globalThis as any).everwire;
    const socket = new EverSocket(url);
    await socket.ready();
    const { signal } = new AbortController();
    const count = 200;
    const refs: WeakRef<object>[] = [];
    const add = (options: AddEventListenerOptions) => {
      const listener = () => refs.length;
      refs.push(new WeakRef(listener));
      socket.addEventListener("message", listener, { ...options, signal });
      return listener;
    };
    for (let index = 0; index < count; index += 1) {
      socket.removeEventListener("message", add({}));
      add({ once: true });
    }
    await new Promise((resolve) => {
      socket.addEventListener("message", resolve, { once: true });
      socket.send("x");
    });
    const kept = () => refs.filter((ref) => ref.deref() !== undefined).length;
    // A signal that nothing refers to would be collected with all that it keeps.
    Object.assign(globalThis, { socket, signal, kept });
  }, `${peer.address.replace("http", "ws")}/echo`);
  // The latest may still be in a register.
  await expect
    .poll(async () => {
      await page.requestGC();
      return page.evaluate(() => (globalThis as any).kept());
    })
    .toBeLessThanOrEqual(2);
});
