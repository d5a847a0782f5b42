import { existsSync } from "node:fs";

import { Process } from "../server/process.js";
import { contenders, reportTargets, TABLES, tasks } from "../server/session.js";
import { median, ratio } from "../support/statistics.js";
import { cell, printMarkdown, short } from "../support/table.js";

/** What channels cost, compared with plain connections and with another server that recovers sessions. */
export async function session({ runs, quick, only, what, report }) {
  const present = choose(only);
  const results = new Map(present.map(({ id }) => [id, new Map()]));
  for (let run = 0; run < runs; run++) {
    for (const task of tasks(quick, what)) {
      const turns = present.map((_, index) => present[(index + run) % present.length]).filter(({ id }) => task.of.includes(id));
      for (const contender of turns) {
        const values = results.get(contender.id);
        for (const [name, value] of await measure(contender, task)) values.set(name, [...(values.get(name) ?? []), value]);
      }
    }
    console.log(`session: run ${run + 1} of ${runs} done`);
  }
  print(present, results, runs);
  for (const [id, values] of results) for (const [name, all] of values) report.value(`session_${id}_${name}`, median(all));
  reportTargets(results, report);
}

function choose(only) {
  const unknown = only?.find((id) => !contenders.some((contender) => contender.id === id));
  if (unknown !== undefined) throw new Error(`there is no server ${unknown}; there are ${contenders.map(({ id }) => id).join(", ")}`);
  const present = contenders.filter(({ id }) => !only || only.includes(id));
  const missing = present.find(({ command }) => !existsSync(command[0]));
  if (missing) throw new Error(`${missing.command[0]} is not there: run \`cargo xtask bench session\`, which builds it`);
  return present;
}

async function measure(contender, { task, path, flags, read }) {
  const process = await Process.start(contender);
  try {
    return read(await process.load(task, path in contender ? path : "channel", flags));
  } finally {
    await process.stop();
  }
}

function print(present, results, runs) {
  for (const [title, columns] of TABLES) {
    const rows = present.filter(({ id }) => columns.some(([name]) => results.get(id).has(name)));
    if (rows.length === 0) continue;
    const headings = columns.flatMap(([, heading, base]) => (results.has(base) ? [heading, "ratio"] : [heading]));
    const cells = (own) =>
      columns.flatMap(([name, , base]) => (results.has(base) ? [cell(own.get(name)), times(own.get(name), results.get(base).get(name))] : [cell(own.get(name))]));
    const lines = rows.map(({ id, name }) => [name, ...cells(results.get(id))]);
    printMarkdown(`session: ${title}: median of ${runs} runs (least–most)`, ["", ...headings], lines);
  }
}

const times = (own, base) => (own && base ? `${short(ratio(own, base))}x` : "–");
