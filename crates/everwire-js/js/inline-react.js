"use client";

// The hooks for applications whose bundler copies no wasm file: see `inline.js`.
export { useEverSocket } from "./inline-react-socket.js";
export { ClientContext, ClientProvider, useChannel, useClient, useClientState, usePresence } from "./inline-react-client.js";
