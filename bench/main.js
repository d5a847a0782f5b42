/** Reads the arguments, runs the parts, and prints the report. `cargo xtask bench` builds what the parts need. */
import { argv, exit } from "node:process";
import { parseArgs } from "node:util";

import { client } from "./parts/client.js";
import { echo } from "./parts/echo.js";
import { outbox } from "./parts/outbox.js";
import { reconnects } from "./parts/reconnects.js";
import { server } from "./parts/server.js";
import { session } from "./parts/session.js";
import { size } from "./parts/size.js";
import { withSite } from "./support/build.js";
import { Report } from "./support/report.js";

const PARTS = { size, client, echo, reconnects, server, session, outbox };
/** The parts that run in a browser, and those of them that measure all clients. */
const IN_PAGES = ["client", "echo", "reconnects", "outbox"];
const OF_CLIENTS = ["client", "echo"];

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    runs: { type: "string" },
    quick: { type: "boolean", default: false },
    // The clients of `client`, and the servers of `server` and `session`.
    only: { type: "string" },
    // The tasks of `server` and `session`.
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
  console.error(`--runs ${values.runs} is not a number of runs: use a whole number from 1`);
  exit(2);
}

const report = new Report();
const options = { runs, quick: values.quick, only: values.only?.split(","), what: values.what?.split(","), report };
const inPages = names.filter((name) => IN_PAGES.includes(name));
const others = names.filter((name) => !IN_PAGES.includes(name));
if (inPages.length > 0) {
  const withClients = inPages.some((name) => OF_CLIENTS.includes(name));
  await withSite(withClients, (site, before) => measure(inPages, { ...options, site, before }));
}
await measure(others, options);
report.print();
exit(report.isSuccess() ? 0 : 1);

async function measure(parts, options) {
  for (const name of parts) await PARTS[name](options);
}
