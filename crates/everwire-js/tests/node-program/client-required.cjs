const { EverClient } = require("everwire/client");
const { WebSocket } = require("ws");

import("./client.js").then(({ talk }) => talk(EverClient, { WebSocket }));
