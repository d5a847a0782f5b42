export { EverSocket } from "everwire/inline";
