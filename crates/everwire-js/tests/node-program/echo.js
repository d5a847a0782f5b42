/** Sends to the address on the command line, prints what comes back, and closes: the program has nothing left to do then. */
export async function echo(EverSocket) {
  const socket = new EverSocket(process.argv[2]);
  socket.binaryType = "arraybuffer";
  socket.send("text");
  socket.send(new Uint8Array([1, 2, 3]));
  const received = [];
  socket.onmessage = ({ data }) => {
    received.push(typeof data === "string" ? data : [...new Uint8Array(data)].join());
    if (received.length === 2) socket.close();
  };
  await new Promise((resolve) => (socket.onclose = resolve));
  console.log(received.join(" "));
}
