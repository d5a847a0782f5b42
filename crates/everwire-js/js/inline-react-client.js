"use client";

import { EverClient } from "everwire/inline/client";
import { clientHookFor } from "./react-client.js";

export { ClientContext, ClientProvider, useChannel, useClientState, usePresence } from "./react-client.js";
export const useClient = clientHookFor(EverClient);
