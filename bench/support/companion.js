import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { companion } from "./places.js";

/** The companion server, which sends back what it is sent on `/echo`. */
export async function startCompanion() {
  const args = ["--listen", "127.0.0.1:0", "--drain", "0", "--max-messages-per-second", "0"];
  const child = spawn(companion, args, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve).once("close", () => reject(new Error("the companion server did not come up")));
  });
  const address = line.replace(/^listening on http/, "ws");
  return { url: `${address}/echo`, close: () => child.kill() };
}
