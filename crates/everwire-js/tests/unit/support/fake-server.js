import { readFileSync } from "node:fs";

import { EverClient, initSync } from "../../../js/client.js";

initSync(readFileSync(new URL("../../../build/client.wasm", import.meta.url)));

/** What separates two lines. */
export const RS = "\x1e";

const WELCOME = "generation=1 time=1795219200000 heartbeat=25000 message=1048576 credits=64 subscriptions=256 expires=120000";

/** Lets everything happen that waits for promises alone. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A WebSocket whose server is the test. */
export class FakeSocket {
  static all = [];
  static get latest() {
    return this.all.at(-1);
  }

  readyState = 0;
  bufferedAmount = 0;
  binaryType = "blob";
  protocol = "";
  /** The lines that were sent and not taken yet. */
  #lines = [];

  constructor(url, protocols = []) {
    this.url = url;
    this.offered = protocols;
    this.constructor.all.push(this);
  }

  open(protocol = this.offered[0] ?? "") {
    this.protocol = protocol;
    this.readyState = 1;
    this.onopen?.({});
  }

  send(data) {
    this.#lines.push(...(typeof data === "string" ? data.split(RS) : [data]));
  }

  /** Takes the lines that were sent. */
  async sent() {
    await settled();
    return this.#lines.splice(0);
  }

  /** Has the server send these lines in one message. */
  receive(...lines) {
    const isBinary = typeof lines[0] !== "string";
    this.onmessage?.({ data: isBinary ? lines[0] : lines.join(RS), timeStamp: performance.now() });
  }

  welcome(more = "acked=0 secret=s3cret", session = "me") {
    this.receive(`welcome ${session} ${WELCOME} ${more}`);
  }

  /** The connection is lost, or closed by the server with a code. */
  cut(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason, wasClean: code !== 1006 });
  }

  close(code = 1005) {
    this.closedWith = code;
    setImmediate(() => this.readyState < 3 && this.cut(code));
  }
}

/** A client with sockets of its own, which connects again at once. */
export function connect(options = {}) {
  class Socket extends FakeSocket {
    static all = [];
  }
  const client = new EverClient("ws://fake.invalid/everwire", { WebSocket: Socket, backoff: { floor: 0, first: 0, quick: 0 }, ...options });
  return {
    client,
    /** The socket of the latest attempt, which is another one than the one before. */
    async socket(before) {
      for (let turns = 0; turns < 1000; turns += 1) {
        await settled();
        if (Socket.latest && Socket.latest !== before) return Socket.latest;
      }
      throw new Error("no attempt was made");
    },
  };
}

/** A client that is welcomed. */
export async function attached(options) {
  const { client, socket: next } = connect(options);
  const socket = await next();
  socket.open();
  const hello = await socket.sent();
  socket.welcome();
  return { client, socket, next, hello };
}

/** Takes so many items from a loop. */
export async function take(loop, count) {
  const items = [];
  const iterator = loop[Symbol.asyncIterator]();
  while (items.length < count) items.push((await iterator.next()).value);
  return items;
}
