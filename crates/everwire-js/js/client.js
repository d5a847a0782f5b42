// For the other entry alone, which brings the checks for development along.
export { setChecks } from "./checks.js";
export { defaults } from "../build/codes.js";
export { EverClient, EverClient as default } from "./client/client.js";
export { EverError } from "./client/errors.js";
export { init, initSync } from "./module.js";
