import { EverSocket } from "./everwire.js";

/** Sends a text as soon as there is a socket, which is before it can be open, and tells what became of it. */
export function echo(url) {
  const socket = new EverSocket(url);
  const told = { className: EverSocket.name, readyState: socket.readyState, outcome: socket.send("is anybody there?") };
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      resolve({ ...told, echoed: data });
      socket.close();
    };
    socket.onerror = () => (told.failed = true);
    socket.onclose = ({ code, reason }) => resolve({ ...told, code, reason });
  });
}
