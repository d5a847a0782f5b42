// A server with `ws` as it is commonly written.
import { createServer } from "node:http";

import { WebSocketServer } from "ws";

const server = createServer();
const everybody = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const echo = new WebSocketServer({ noServer: true, perMessageDeflate: false });

everybody.on("connection", (socket) => {
  socket.on("message", (data, binary) => {
    for (const client of everybody.clients) if (client.readyState === client.OPEN) client.send(data, { binary });
  });
});
echo.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
server.on("upgrade", (request, socket, head) => {
  const wanted = request.url === "/echo" ? echo : everybody;
  wanted.handleUpgrade(request, socket, head, (client) => wanted.emit("connection", client, request));
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
