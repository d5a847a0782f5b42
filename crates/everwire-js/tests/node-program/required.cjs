const { EverSocket } = require("everwire");
const inline = require("everwire/inline");
const { useEverSocket } = require("everwire/react");
const { WebSocket } = require("ws");

if (inline.EverSocket !== EverSocket || typeof useEverSocket !== "function") throw new Error("The entries do not share one class.");

import("./echo.js").then(({ echo }) => echo(EverSocket.with({ WebSocket })));
