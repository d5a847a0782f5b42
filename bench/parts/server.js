import { existsSync } from "node:fs";

import { contenders } from "../server/contenders.js";
import { Process } from "../server/process.js";
import { tellTargets } from "../server/targets.js";
import { LAYERS, TABLES, tasks } from "../server/tasks.js";
import { median, ratio } from "../support/statistics.js";
import { cell, printTable, short } from "../support/table.js";

/** What a server costs, compared with others: processor time and memory. */
export async function server({ runs, quick, only, what, report }) {
  const present = choose(only);
  const results = new Map(present.map(({ id }) => [id, new Map()]));
  for (let run = 0; run < runs; run++) {
    for (const task of tasks(quick, what)) {
      const turns = present.map((_, index) => present[(index + run) % present.length]);
      for (const contender of turns) {
        for (const [name, value] of await measure(contender, task)) {
          results.get(contender.id).set(name, [...(results.get(contender.id).get(name) ?? []), value]);
        }
      }
    }
    console.log(`server: run ${run + 1} of ${runs} done`);
  }
  print(present, results, runs);
  for (const [id, values] of results) for (const [name, all] of values) report.value(`server_${id}_${name}`, median(all));
  tellTargets(results, report);
}

/** The selected servers, without those that could not be built. */
function choose(only) {
  const unknown = only?.find((id) => !contenders.some((contender) => contender.id === id));
  if (unknown !== undefined) throw new Error(`there is no server ${unknown}; there are ${contenders.map(({ id }) => id).join(", ")}`);
  const present = contenders.filter(({ id, name, command, onlyNamed, optional }) => {
    if (only ? !only.includes(id) : onlyNamed) return false;
    const isThere = existsSync(command[0]);
    if (isThere) return true;
    if (!optional) throw new Error(`${command[0]} is not there: run \`cargo xtask bench server\`, which builds it`);
    console.log(`server: ${name} is left out: ${command[0]} is not there, see above why it was not built`);
    return false;
  });
  if (present.length === 0) throw new Error(`nothing is left to measure: none of ${only.join(", ")} is there`);
  return present;
}

async function measure(contender, { task, path, flags, read }) {
  const process = await Process.start(contender);
  try {
    return read(await process.load(task, path, flags));
  } finally {
    await process.stop();
  }
}

function print(present, results, runs) {
  const bases = ["axum", "raw", "before"].filter((id) => results.has(id));
  const servers = present.filter(({ layer }) => !layer);
  for (const [title, columns] of TABLES.filter(([, [[name]]]) => results.get(present[0].id).has(name))) {
    const headings = columns.flatMap(([, heading]) => [heading, ...bases.map((base) => `/ ${base}`)]);
    const cells = (own) => columns.flatMap(([name]) => [cell(own.get(name)), ...bases.map((base) => times(own, results.get(base), name))]);
    const rows = servers.map(({ id, name }) => [name, ...cells(results.get(id))]);
    printTable(`server: ${title}: median of ${runs} runs (least–most), and ratios`, ["", ...headings], rows);
  }
  const layers = present.filter(({ layer }) => layer);
  if (layers.length === 0) return;
  const columns = LAYERS.filter(([name]) => results.get(layers[0].id).has(name));
  // The raw writer and Everwire are shown with the layers, as their bounds.
  const bounds = servers.filter(({ id }) => ["raw", "everwire", "before"].includes(id));
  const rows = [...bounds, ...layers].map(({ id, name }) => [name, ...columns.map(([column]) => cell(results.get(id).get(column)))]);
  const title = `WebSocket layers, each below the same small server; µs of CPU, and bytes: median of ${runs} runs (least–most)`;
  printTable(title, ["", ...columns.map(([, heading]) => heading)], rows);
}

const times = (own, base, name) => `${short(ratio(own.get(name), base.get(name)))}x`;
