export { EverSocket } from "everwire";
