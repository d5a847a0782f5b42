const { EverSocket } = require("everwire");
const { WebSocket } = require("ws");

import("./echo.js").then(({ echo }) => echo(EverSocket.with({ WebSocket })));
