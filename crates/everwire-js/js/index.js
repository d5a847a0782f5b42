// For the other entries alone, which bring the checks for development along.
export { setChecks } from "./checks.js";
export { defaults } from "../build/codes.js";
export { init, initSync } from "./module.js";
export { EverSocket, EverSocket as default } from "./socket.js";
