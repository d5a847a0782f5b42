import { EverSocket } from "everwire/inline";
import { WebSocket } from "ws";
import { echo } from "./echo.js";

await echo(EverSocket.with({ WebSocket }));
