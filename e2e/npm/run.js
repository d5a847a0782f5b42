// Runs conformance tests and answers with plain data, so that any driver of a browser can start it.
import { Check } from "./check.js";

/** The classes by name; each but that for development is to behave as the browser's own. */
const classes = {
  browser: async () => WebSocket,
  strict: async () => (await import("/everwire/index.js")).EverSocket.with({ reconnect: false }),
  standard: async () => (await import("/everwire/index.js")).EverSocket,
  extended: async () => class extends (await import("/everwire/index.js")).EverSocket {}.with({ reconnect: false }),
  development: async () => (await import("/everwire/inline.js")).EverSocket,
};

/** How many tests run at a time where many wait for what does not come. Else one: browsers make dials wait for each other. */
const lanes = 6;
/** How long a test may take: browsers throttle dials after many that failed. */
const patience = 20_000;
/** The same for a test that is known to fail: most do by waiting for what does not come. */
const shortPatience = 1_500;

/**
 * @param kind which class, a key of `classes`
 * @param names modules beside this one, like `conformance/events`
 * @returns for each test its name, the row of the table of differences that it belongs to, and how it failed
 */
export async function run(kind, names, only) {
  const Socket = await classes[kind]();
  const tests = [];
  for (const name of names) {
    const { default: table } = await import(`./${name}.js`);
    for (const [sentence, test] of Object.entries(table)) {
      if ((!test.inWindow || globalThis.document) && (!only || sentence.includes(only))) {
        tests.push({ name: `${name.split("/")[1]}: ${sentence}`, differs: test.differs ?? null, test });
      }
    }
  }
  const uncaught = [];
  const noting = new AbortController();
  const note = (event) => {
    const error = event.error ?? event.reason;
    // Tests throw errors of theirs, which they look for themselves; and one that was given up may still be asking the server.
    if (!String(error?.message).startsWith("mine") && error?.name !== "AbortError") {
      uncaught.push(String(error?.stack ?? event.message));
    }
  };
  for (const type of ["error", "unhandledrejection"]) {
    globalThis.addEventListener(type, note, { signal: noting.signal });
  }
  const waiting = [...tests];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const isKnown = ["standard", "extended"].includes(kind) && next.differs !== null;
      next.failure = await failure(Socket, next.test, isKnown ? shortPatience : patience);
    }
  };
  await Promise.all(Array.from({ length: tests.some(({ differs }) => differs) ? lanes : 1 }, lane));
  noting.abort();
  const results = tests.map(({ name, differs, failure }) => ({ name, differs, failure }));
  return [...results, { name: "nothing is thrown where nobody catches it", differs: null, failure: uncaught[0] ?? null }];
}

async function failure(Socket, test, patience) {
  const check = new Check(Socket);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing more happened within ${patience} ms`)), patience);
  });
  try {
    await Promise.race([test(check), late]);
    return null;
  } catch (error) {
    return String(error?.message ?? error);
  } finally {
    clearTimeout(timer);
    check.end();
  }
}

// In a worker it is driven by messages.
if (globalThis.document === undefined) {
  globalThis.onmessage = async ({ data: [kind, names, only] }) => globalThis.postMessage(await run(kind, names, only));
}
