"use client";

// The hook for applications whose bundler copies no wasm file: see `inline.js`.
import { EverSocket } from "everwire/inline";
import { hookFor } from "./hook.js";

export const useEverSocket = hookFor(EverSocket);
