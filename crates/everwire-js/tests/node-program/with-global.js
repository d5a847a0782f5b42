import { EverSocket } from "everwire";
import { echo } from "./echo.js";

await echo(EverSocket);
