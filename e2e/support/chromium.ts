import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The system's Chromium. Playwright would otherwise look for one that it has downloaded itself. */
export function chromium(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const found = names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error("Chromium is not on PATH: run `cargo xtask setup`, or install it by your system's means");
  }
  return found;
}
