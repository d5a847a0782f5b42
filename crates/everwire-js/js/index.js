export { defaults } from "./defaults.js";
export { init, initSync } from "./module.js";
export { EverSocket, EverSocket as default } from "./socket.js";
