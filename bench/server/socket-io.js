// A server with `socket.io` as it is commonly written, without its polling. The query of the address selects what it does
// a client connects with: `?to=everybody`, or an echo.
import { createServer } from "node:http";

import { Server } from "socket.io";

const http = createServer();
// No client is pinged during a measurement; the load generator would not answer.
const server = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false, pingInterval: 600_000 });

server.on("connection", (socket) => {
  const to = socket.handshake.query.to === "everybody" ? server : socket;
  socket.on("m", (message) => to.emit("m", message));
});
http.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
