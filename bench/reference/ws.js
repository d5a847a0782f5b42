import { WebSocketServer } from "ws";

/** `/broadcast` sends to all what any of them sends; every other path is an echo. */
export function attach(http) {
  const server = new WebSocketServer({ server: http });
  const everybody = new Set();
  server.on("connection", (socket, { url }) => {
    if (url !== "/broadcast") {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
      return;
    }
    everybody.add(socket);
    socket.on("close", () => everybody.delete(socket));
    socket.on("message", (data, isBinary) => everybody.forEach((one) => one.send(data, { binary: isBinary })));
  });
}
