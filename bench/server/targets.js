import { median, ratio } from "../support/statistics.js";
import { CROWDS } from "./tasks.js";

/** What Everwire may take, in times of what another checkout's took. */
const MOST_OF_BEFORE = 1.05;

/** What Everwire aims at, where what it takes has been measured; and the values under which programs find it. */
export function tellTargets(results, report) {
  const own = results.get("everwire");
  const has = (id, name) => own?.has(name) && results.get(id)?.has(name);
  const firm = { firm: true };

  /** Of both crowds the worse. */
  const crowds = (kind) => CROWDS.map((crowd) => `${kind}_${crowd}_us`);
  const times = (id, names) => Math.min(...names.map((name) => ratio(results.get(id).get(name), own.get(name))));
  const cost = (id, names) => Math.max(...names.map((name) => ratio(own.get(name), results.get(id).get(name))));

  const [lockstep, fanout8] = [crowds("lockstep"), crowds("fanout8")];
  const fanout8s = [
    ["raw", "raw writer's CPU / Everwire's", 0.85],
    ["axum", "plain axum's CPU / Everwire's", 8],
    ["axum_select", "the same, of axum with one task and select!", 8],
  ];
  for (const [id, what, least] of fanout8s.filter(([id]) => has(id, fanout8[0]))) {
    const reached = times(id, fanout8);
    report.value(`fanout8_vs_${id}`, reached);
    report.atLeast(`fan-out, 8 in flight: ${what}`, reached, least, firm);
  }
  if (has("axum", lockstep[0])) {
    const reached = cost("axum", lockstep);
    report.value("lockstep_vs_axum", reached);
    if (!has("uws", lockstep[0])) report.atMost("fan-out, lock-step: Everwire's CPU / plain axum's", reached, 0.85, firm);
  }
  if (has("uws", lockstep[0])) {
    const reached = cost("uws", lockstep);
    report.value("lockstep_vs_uws", reached);
    report.atMost("fan-out, lock-step: Everwire's CPU / uWebSockets'", reached, 1.1, firm);
  }
  if (has("axum", "echo_us")) {
    const reached = times("axum", ["echo_us"]);
    report.value("pipelined_echo_vs_axum", reached);
    report.atLeast("pipelined echo: plain axum's CPU / Everwire's", reached, 5, firm);
  }
  for (const name of results.get("before")?.keys() ?? []) {
    if (name === "echo_rate" || !own?.has(name)) continue;
    const reached = cost("before", [name]);
    report.value(`server_${name}_vs_before`, reached);
    report.atMost(`server ${name}: Everwire, now / before`, reached, MOST_OF_BEFORE);
  }
  if (own?.has("idle_bytes")) {
    const reached = Math.round(median(own.get("idle_bytes")));
    report.value("idle_bytes", reached);
    report.atMost("idle connection of Everwire, bytes", reached, 8000, firm);
  }
}
