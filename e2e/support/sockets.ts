import { type Page, type WebSocket } from "@playwright/test";

/** A WebSocket that a page opened, as the network saw it. */
interface Dial {
  /** The fault that the address asked for. */
  readonly fault: string | null;
  readonly sent: (string | Buffer)[];
}

/** Every WebSocket of a page to one endpoint, in the order in which they were dialled. */
export class Sockets {
  readonly #dials: Dial[] = [];

  /** Watches a page that has not dialled yet. */
  static of(page: Page, endpoint: string): Sockets {
    const sockets = new Sockets();
    page.on("websocket", (socket) => {
      if (new URL(socket.url()).pathname === endpoint) {
        sockets.#dials.push(follow(socket));
      }
    });
    return sockets;
  }

  /** The faults that the addresses asked for, one for each dial. */
  get faults(): (string | null)[] {
    return this.#dials.map(({ fault }) => fault);
  }

  /** The faults of the dials from the last one on that asked for this; none where it was not dialled. */
  since(fault: string): (string | null)[] {
    const at = this.faults.lastIndexOf(fault);
    return at < 0 ? [] : this.faults.slice(at);
  }

  /** What the page sent by any of them but the heartbeat's pings, texts as they were and bytes as hexadecimal digits. */
  get sent(): string[] {
    const readable = this.#dials.flatMap(({ sent }) => sent).map(text);
    return readable.filter((message) => !message.startsWith('{"ping":'));
  }
}

function follow(socket: WebSocket): Dial {
  const url = new URL(socket.url());
  const dial: Dial = { fault: url.searchParams.get("fault"), sent: [] };
  socket.on("framesent", ({ payload }) => dial.sent.push(payload));
  return dial;
}

function text(payload: string | Buffer): string {
  return typeof payload === "string" ? payload : payload.toString("hex");
}
