import { init } from "everwire";

// Not awaited: sockets may be made at once.
init(new URL("/assets/core.wasm", location.origin));

export { EverSocket } from "everwire";
