import { EverClient } from "everwire/client";
import { WebSocket } from "ws";
import { talk } from "./client.js";

await talk(EverClient, { WebSocket });
