import { median, ratio } from "./statistics.js";

/** Prints rows in columns: the first to the left, the others to the right. */
export function printTable(title, header, rows) {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const show = (line) => line.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  ");
  console.log(`\n${title}\n\n${show(header)}\n${widths.map((width) => "-".repeat(width)).join("  ")}`);
  for (const row of rows) console.log(show(row));
}

/** Prints rows as a table of Markdown. */
export function printMarkdown(title, header, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, column) => (column ? "---:" : "---"));
  console.log(`\n${title}\n\n${[header, rule, ...rows].map(line).join("\n")}`);
}

/** A number with three digits that count. */
export function short(value) {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Median, spread and ratio of several runs: `0.41 (0.40–0.45) 1.2x`. */
export function cell(values, base) {
  if (values === undefined || values.length === 0) return "–";
  const spread = `${short(median(values))} (${short(Math.min(...values))}–${short(Math.max(...values))})`;
  return base ? `${spread} ${ratio(values, base).toFixed(2)}x` : spread;
}
