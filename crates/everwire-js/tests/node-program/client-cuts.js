// Publishes over a link that is cut again and again, and prints what became of it.
import { once } from "node:events";
import { createConnection, createServer } from "node:net";

import { EverClient } from "everwire/client";
import { WebSocket } from "ws";

const MESSAGES = 60;
const server = new URL(process.argv[2]);
let connections = 0;
const ends = new Set();
const link = createServer((near) => {
  connections += 1;
  const far = createConnection(+server.port, server.hostname);
  for (const [end, other] of [
    [near, far],
    [far, near],
  ]) {
    ends.add(end);
    end.pipe(other);
    end.on("error", () => {});
    end.on("close", () => {
      ends.delete(end);
      other.destroy();
    });
  }
});
link.listen(0, "127.0.0.1");
await once(link, "listening");
const cut = () => ends.forEach((end) => end.destroy());

const backoff = { floor: 10, first: 10, quick: 10 };
const client = new EverClient(`ws://127.0.0.1:${link.address().port}/everwire`, { WebSocket, backoff });
const channel = `cuts-${process.pid}`;
const chat = client.subscribe(channel, { last: MESSAGES });
const values = [];
const read = (async () => {
  for await (const item of chat) {
    if (item.type === "gap") throw new Error(`a gap: ${item.reason}`);
    if (item.type === "message") values.push(item.value);
    if (values.length === MESSAGES) return;
  }
})();
const offsets = [];
while (offsets.length < MESSAGES) {
  const [first, ...others] = [0, 1, 2, 3, 4, 5].map((index) => client.publish(channel, offsets.length + index));
  offsets.push((await first).offset);
  // Some have been sent, some are answered, and some were read.
  cut();
  for (const other of others) offsets.push((await other).offset);
}
await read;
const isInOrder = (list) => list.every((value, index) => index === 0 || value === list[index - 1] + 1);
const isRight = isInOrder(values) && isInOrder(offsets) && connections > 5;
console.log(`${values.length} messages, ${isRight ? "each once and in order" : `${connections} connections: ${values.join()}`}`);
client.close();
await client.closed;
link.close();
cut();
