export * from "everwire/client";
export { default } from "everwire/client";
