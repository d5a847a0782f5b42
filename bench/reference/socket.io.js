import { Server } from "socket.io";

/** The event `echo` comes back, and `publish` goes to those who have sent `subscribe`. */
export function attach(http) {
  const server = new Server(http, { transports: ["websocket"], serveClient: false });
  server.on("connection", (socket) => {
    socket.on("echo", (data) => socket.emit("echo", data));
    socket.on("subscribe", () => socket.join("load"));
    socket.on("publish", (data) => server.to("load").emit("publish", data));
  });
}
