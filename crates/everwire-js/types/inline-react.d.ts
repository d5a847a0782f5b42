export * from "everwire/react";
