import { once } from "node:events";
import { WebSocket } from "ws";

/** How many publishes may be unanswered. */
const CREDITS = 64;

/** Writes into a room of the chat without a page, over a connection of its own. */
export class ChatAuthor {
  readonly #socket: WebSocket;
  readonly #room: string;
  #sent = 0;
  #acknowledged = 0;

  private constructor(socket: WebSocket, room: string) {
    this.#socket = socket;
    this.#room = room;
    socket.on("message", (data) => {
      for (const line of String(data).split("\u001e")) {
        if (line.startsWith("ack ")) {
          this.#acknowledged += 1;
          socket.emit("acknowledged");
        }
      }
    });
  }

  static async connect(address: string, room: string): Promise<ChatAuthor> {
    const socket = new WebSocket(`${address.replace("http", "ws")}/everwire`, "everwire.v1");
    await once(socket, "open");
    socket.send("hello attempt=0");
    await once(socket, "message");
    return new ChatAuthor(socket, room);
  }

  /** Writes messages, and returns when all are stored. */
  async write(texts: readonly string[], name = "Grace"): Promise<void> {
    for (const text of texts) {
      while (this.#sent - this.#acknowledged >= CREDITS) {
        await once(this.#socket, "acknowledged");
      }
      this.#sent += 1;
      const message = { id: `${name}-${Math.random()}`, author: { id: name, name }, text };
      this.#socket.send(`pub chat/${this.#room} ${this.#sent}\n${JSON.stringify(message)}`);
    }
    while (this.#acknowledged < this.#sent) {
      await once(this.#socket, "acknowledged");
    }
  }

  async leave(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}
