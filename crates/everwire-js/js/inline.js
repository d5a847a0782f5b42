// The wasm module is in this file, and nothing else has to be served.
import wasm from "../build/everwire.wasm";
import { development } from "./development.js";
import * as everwire from "./index.js";

everwire.setChecks(development);
// A socket compiles it, and not this import, which would throw where wasm is forbidden or unknown: on a server that only renders, or
// under a content security policy.
everwire.initSync(() => Uint8Array.from(atob(wasm), (character) => character.charCodeAt(0)));

// Bindings of this module's own, so that what imports them runs the lines above: a bundler leaves out a module that only passes
// on the bindings of another.
export const { EverSocket, defaults, init, initSync } = everwire;
export default EverSocket;
