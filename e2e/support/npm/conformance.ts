/** The classes that the conformance tests are run with: see `npm/run.js`. */
export type Kind = "browser" | "strict" | "extended" | "standard" | "development";

/** How a conformance test ended. */
export interface Result {
  readonly name: string;
  /** The row of the table of differences that the test belongs to. */
  readonly differs: string | null;
  readonly failure: string | null;
}

export const conformance = [
  "constructor",
  "protocols",
  "interface",
  "attributes",
  "handlers",
  "listeners",
  "events",
  "receiving",
  "sending",
  "buffered",
  "closing",
  "failures",
].map((name) => `conformance/${name}`);

export const resilience = ["reconnecting", "sending", "link", "json", "options", "suites"].map((name) => `resilience/${name}`);

/** Bodies of async functions for a page, which take the kind, the modules and, to look for a fault, a part of a name. */
export const inWindow = `const { run } = await import("/npm/run.js"); return run(...args);`;
export const inWorker = `
  const worker = new Worker("/npm/run.js", { type: "module" });
  worker.postMessage(args);
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });`;

/** The same for the rows of the table of differences that tests of the modules belong to. */
export const rowsOf = `
  const tables = await Promise.all(args[0].map(async (name) => (await import("/npm/" + name + ".js")).default));
  return [...new Set(tables.flatMap(Object.values).map(({ differs }) => differs))].filter(Boolean).sort();`;

/** The names of those that failed, with what went wrong. */
export function failures(results: readonly Result[]): string[] {
  return results.filter(({ failure }) => failure !== null).map(({ name, failure }) => `${name}: ${failure}`);
}
