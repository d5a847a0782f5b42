import { EverClient } from "everwire/inline/client";
import { WebSocket } from "ws";
import { talk } from "./client.js";

await talk(EverClient, { WebSocket });
