// The wasm module is in this file, and nothing else has to be served: see `inline.js`.
import wasm from "../build/client.wasm";
import { development } from "./development.js";
import * as everwire from "./client.js";

everwire.setChecks(development);
everwire.initSync(() => Uint8Array.from(atob(wasm), (character) => character.charCodeAt(0)));

export const { EverClient, EverError, defaults, init, initSync } = everwire;
export default EverClient;
