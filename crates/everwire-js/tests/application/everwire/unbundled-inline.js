export { EverSocket } from "../node_modules/everwire/dist/inline.js";
