/** Statistics of runs, tables, and the report of a command: values for programs, and targets with whether they were met. */

/** The values and targets that the command prints last. */
export class Report {
  #values = [];
  #targets = [];

  /** Adds a value for programs: `name=value`. */
  value(name, value) {
    const shown = Number.isInteger(value) ? value : Number(value.toPrecision(4));
    this.#values.push(`${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_")}=${shown}`);
  }

  /** Adds a target. Missing a `required` one fails the command. */
  atMost(name, value, most, { required = false } = {}) {
    this.#targets.push({ name, value, isMet: value <= most, bound: `at most ${most}`, required });
  }

  atLeast(name, value, least, { required = false } = {}) {
    this.#targets.push({ name, value, isMet: value >= least, bound: `at least ${least}`, required });
  }

  print() {
    if (this.#targets.length > 0) console.log("\nTargets");
    for (const { name, value, isMet, bound } of this.#targets) {
      const shown = Number.isInteger(value) ? value : value.toFixed(2);
      console.log(`  ${isMet ? "met   " : "MISSED"}  ${name}: ${shown}, ${bound}`);
    }
    console.log(`\n${this.#values.join("\n")}`);
  }

  /** Whether all required targets were met. */
  isSuccess() {
    return this.#targets.every(({ isMet, required }) => !required || isMet);
  }
}

/** The median. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The value that this part of the values does not exceed. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

/** The median of the ratios of each run. A disturbance of a whole run affects both values of the ratio. */
export function ratio(values, base) {
  return median(values.map((value, run) => value / base[run]));
}

/** Prints rows in columns: the first left-aligned, the others right-aligned. */
export function printTable(title, header, rows) {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const show = (line) => line.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  ");
  console.log(`\n${title}\n\n${show(header)}\n${widths.map((width) => "-".repeat(width)).join("  ")}`);
  for (const row of rows) console.log(show(row));
}

/** Prints rows as a Markdown table. */
export function printMarkdown(title, header, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, column) => (column ? "---:" : "---"));
  console.log(`\n${title}\n\n${[header, rule, ...rows].map(line).join("\n")}`);
}

/** A number with three significant digits. */
export function short(value) {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Median, range and ratio of several runs: `0.41 (0.40–0.45) 1.2x`. */
export function cell(values, base) {
  if (values === undefined || values.length === 0) return "–";
  const range = `${short(median(values))} (${short(Math.min(...values))}–${short(Math.max(...values))})`;
  return base ? `${range} ${ratio(values, base).toFixed(2)}x` : range;
}
