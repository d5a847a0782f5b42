import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What went over the wire for one path. A request is counted, with its bytes, once its answer begins. */
export interface Passed {
  requests: number;
  bytes: number;
  /** Messages of the feed. */
  messages: number;
}

/** A TCP proxy that counts the bytes of each exchange by the path of its request, knowing nothing else of HTTP. */
export class WireTap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #passed = new Map<string, Passed>();

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      const server = connect(Number(target.port), target.hostname);
      let path = "";
      let unanswered = { requests: 0, bytes: 0 };
      client.on("data", (chunk) => {
        const asked = /^(?:GET|POST) (\/[^ ?]*)/.exec(chunk.toString("latin1"))?.[1];
        path = asked ?? path;
        unanswered = { requests: unanswered.requests + (asked === undefined ? 0 : 1), bytes: unanswered.bytes + chunk.length };
        server.write(chunk);
      });
      server.on("data", (chunk) => {
        const messages = chunk.toString("latin1").split('{"seq":').length - 1;
        this.#count(path, { requests: unanswered.requests, bytes: unanswered.bytes + chunk.length, messages });
        unanswered = { requests: 0, bytes: 0 };
        client.write(chunk);
      });
      for (const [one, other] of [[client, server], [server, client]] as const) {
        this.#sockets.add(one);
        one.setNoDelay(true);
        one.on("close", () => other.destroy());
        one.on("error", () => other.destroy());
      }
    });
  }

  static async to(address: string): Promise<WireTap> {
    const tap = new WireTap(new URL(address));
    tap.#server.listen(0, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  /** Host and port. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  passed(path: string): Passed {
    return this.#passed.get(path) ?? { requests: 0, bytes: 0, messages: 0 };
  }

  async stop(): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    this.#server.close();
    await once(this.#server, "close");
  }

  #count(path: string, { requests, bytes, messages }: Passed): void {
    const before = this.passed(path);
    this.#passed.set(path, {
      requests: before.requests + requests,
      bytes: before.bytes + bytes,
      messages: before.messages + messages,
    });
  }
}
