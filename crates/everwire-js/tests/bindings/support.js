// Components in Node.js, with a document by jsdom and the WebSocket of the package ws. The test that runs a program of this folder has started
// the server, has the scenarios run, and does with the server what they say.
import { once } from "node:events";

import { JSDOM } from "jsdom";
import { WebSocket } from "ws";

export const { window } = new JSDOM("<!doctype html><main></main>", { pretendToBeVisual: true });
const names = ["document", "Element", "HTMLElement", "SVGElement", "Node", "Text", "Comment", "Event", "EventTarget", "AbortController", "AbortSignal"];
Object.assign(globalThis, { window }, Object.fromEntries(names.map((name) => [name, window[name]])));
// Node.js has one of its own since version 21.
globalThis.navigator ??= window.navigator;

/** The lines that clients have sent, and how many connections they have made. */
export const sent = [];
export let connections = 0;

globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    connections += 1;
  }

  send(data) {
    sent.push(...(typeof data === "string" ? data.split("\x1e") : ["bytes"]));
    super.send(data);
  }
};

export const address = `${process.argv[2]}/everwire`;
export const backoff = { floor: 10, first: 50, quick: 50, max: 50, quickAfterSilence: 50 };

/** How often a channel was subscribed to on the wire. */
export const subscribes = (channel) => sent.filter((line) => line.startsWith(`sub ${channel} `)).length;

export const numbers = (count, from = 0) => Array.from({ length: count }, (_, index) => from + index);

export const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent);

/** Waits until a condition holds, which is looked at after each task. */
export async function until(condition) {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${condition} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Has the test do something with the server: `kill`, `restart`, or `forget`, which removes its journal. */
export async function server(what) {
  process.send({ server: what });
  await once(process, "message");
}

/** Runs the scenarios that the test names, one after another. */
export function serve(scenarios) {
  process.on("message", async ({ scenario }) => {
    if (!scenario) return;
    try {
      await scenarios[scenario](`${scenario}/chat`);
      process.send({ error: null });
    } catch (error) {
      process.send({ error: error.stack });
    }
  });
  process.send({ error: null });
}
