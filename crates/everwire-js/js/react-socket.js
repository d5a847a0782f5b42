"use client";

import { EverSocket } from "everwire";
import { hookFor } from "./hook.js";

export const useEverSocket = hookFor(EverSocket);
