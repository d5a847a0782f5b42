"use client";

import { EverSocket } from "everwire/inline";
import { hookFor } from "./hook.js";

export const useEverSocket = hookFor(EverSocket);
