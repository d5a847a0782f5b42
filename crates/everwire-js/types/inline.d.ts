export * from "everwire";
export { default } from "everwire";
