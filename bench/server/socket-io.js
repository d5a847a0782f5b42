// A server with `socket.io` as it is commonly written, without its polling. The query of the address selects whom a message is sent to: all
// clients by `?to=everybody`, a room that no client is in by `?to=room`, or the sender. With `--recovery` it keeps what clients miss.
import { createServer } from "node:http";
import { argv } from "node:process";

import { Server } from "socket.io";

const http = createServer();
// No client is pinged during a measurement; the load generator would not answer.
const options = { transports: ["websocket"], perMessageDeflate: false, serveClient: false, pingInterval: 600_000 };
const recovery = argv.includes("--recovery") ? { connectionStateRecovery: {} } : {};
const server = new Server(http, { ...options, ...recovery });

server.on("connection", (socket) => {
  const { to } = socket.handshake.query;
  socket.on("m", (message, acknowledge) => {
    const receivers = to === "everybody" ? server : to === "room" ? server.to(to) : socket;
    receivers.emit("m", message);
    acknowledge?.();
  });
});
http.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
