export { EverSocket } from "../node_modules/everwire/dist/index.js";
