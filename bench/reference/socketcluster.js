import { attach as attachSocketCluster } from "socketcluster-server";

/** The procedure `echo` returns what it is called with; channels come with SocketCluster. */
export async function attach(http) {
  const server = attachSocketCluster(http, { path: "/socketcluster/" });
  for await (const { socket } of server.listener("connection")) echo(socket);
}

async function echo(socket) {
  for await (const request of socket.procedure("echo")) request.end(request.data);
}
