/** The arguments that give Node.js a WebSocket: version 20 has one that it does not show unless asked to, later ones always have it. */
export const webSocket: readonly string[] = "WebSocket" in globalThis ? [] : ["--experimental-websocket"];
