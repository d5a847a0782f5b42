// Node.js cannot fetch a file, and can read one at once.
import { readFileSync } from "node:fs";
import { development } from "./development.js";
import * as everwire from "./index.js";

everwire.setChecks(development);
everwire.initSync(readFileSync(new URL("everwire.wasm", import.meta.url)));

// Bindings of this module's own, so that what imports them runs the lines above.
export const { EverSocket, defaults, init, initSync } = everwire;
export default EverSocket;
