import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { client } from "./parts/client.js";
import { echo } from "./parts/echo.js";
import { outbox } from "./parts/outbox.js";
import { reconnects } from "./parts/reconnects.js";
import { server } from "./parts/server.js";
import { session } from "./parts/session.js";
import { size } from "./parts/size.js";
import { bundleBefore, bundleClients } from "./support/bundles.js";
import { clients } from "./support/clients.js";
import { serve } from "./support/files.js";
import { before as checkout, wasmClientsBefore } from "./support/places.js";
import { Report } from "./support/report.js";

const PARTS = { size, client, echo, reconnects, server, session, outbox };
/** The parts that need no page, and so no bundles. */
const WITHOUT_PAGES = ["server", "session"];

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    runs: { type: "string" },
    quick: { type: "boolean", default: false },
    // Of `client` which clients; of `server` and `session` which servers, and what of them.
    only: { type: "string" },
    what: { type: "string" },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(PARTS);
const unknown = names.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  console.error(`there is no part ${unknown}; the parts are ${Object.keys(PARTS).join(", ")}`);
  exit(2);
}
const runs = Number(values.runs ?? (values.quick ? 3 : 5));
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs ${values.runs} is no number of runs: give a whole one from 1`);
  exit(2);
}

const report = new Report();
const options = { runs, quick: values.quick, only: values.only?.split(","), what: values.what?.split(","), report };
const [alone, inPages] = [true, false].map((wanted) => names.filter((name) => WITHOUT_PAGES.includes(name) === wanted));
if (inPages.length > 0) await withPages((site, before) => measure(inPages, { ...options, site, before }));
await measure(alone, options);
report.print();
exit(report.isWithinBudget() ? 0 : 1);

async function measure(parts, options) {
  for (const name of parts) await PARTS[name](options);
}

async function withPages(use) {
  const folder = await mkdtemp(join(tmpdir(), "everwire-bench-clients-"));
  await bundleClients(clients, folder);
  const before = checkout ? await bundleBefore(checkout, wasmClientsBefore, folder) : [];
  const pages = await serve(join(dirname(fileURLToPath(import.meta.url)), "page"), folder);
  try {
    await use(pages.url, before);
  } finally {
    pages.close();
    await rm(folder, { recursive: true });
  }
}
