import { EverSocket } from "everwire";
import { echo } from "./echo.js";

delete globalThis.WebSocket;
await echo(EverSocket);
