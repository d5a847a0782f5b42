import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { client } from "./parts/client.js";
import { echo } from "./parts/echo.js";
import { reconnects } from "./parts/reconnects.js";
import { size } from "./parts/size.js";
import { bundleClients } from "./support/bundles.js";
import { clients } from "./support/clients.js";
import { serve } from "./support/files.js";
import { Report } from "./support/report.js";

const PARTS = { size, client, echo, reconnects };

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: { runs: { type: "string" }, quick: { type: "boolean", default: false } },
});
const names = positionals.length > 0 ? positionals : Object.keys(PARTS);
const unknown = names.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  console.error(`there is no part ${unknown}; the parts are ${Object.keys(PARTS).join(", ")}`);
  exit(2);
}
const runs = Number(values.runs ?? (values.quick ? 3 : 5));

const report = new Report();
const folder = await mkdtemp(join(tmpdir(), "everwire-bench-clients-"));
await bundleClients(clients, folder);
const pages = await serve(join(dirname(fileURLToPath(import.meta.url)), "page"), folder);
try {
  for (const name of names) await PARTS[name]({ runs, quick: values.quick, site: pages.url, report });
} finally {
  pages.close();
  await rm(folder, { recursive: true });
}
report.print();
exit(report.isWithinBudget() ? 0 : 1);
