"use client";

// Two modules, since a bundler leaves out one of which nothing is used: a page with sockets has nothing of the client, and its wasm.
export { useEverSocket } from "./react-socket.js";
export { ClientContext, ClientProvider, useChannel, useClient, useClientState, usePresence } from "./react-client.js";
