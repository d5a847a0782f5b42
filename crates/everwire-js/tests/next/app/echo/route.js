import { EverSocket } from "everwire";

/** Answers with what comes back from the server that the request names. */
export async function GET(request) {
  const socket = new EverSocket(request.nextUrl.searchParams.get("server"));
  socket.send("is anybody there?");
  const echoed = await new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = ({ message }) => reject(new Error(message));
  });
  socket.close();
  return new Response(echoed);
}
