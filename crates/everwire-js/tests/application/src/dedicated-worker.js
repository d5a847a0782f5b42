import { echo } from "./echo.js";

onmessage = async ({ data: url }) => postMessage(await echo(url));
