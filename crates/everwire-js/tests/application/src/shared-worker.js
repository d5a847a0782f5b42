import { echo } from "./echo.js";

onconnect = ({ ports: [port] }) => {
  port.onmessage = async ({ data: url }) => port.postMessage(await echo(url));
};
