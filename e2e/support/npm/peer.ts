import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { extname, resolve } from "node:path";
import { type Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";

const root = resolve(import.meta.dirname, "../../..");
/** The folder with `index.js` and `everwire.wasm` as they are published. */
export const built = process.env["EVERWIRE_NPM"] ?? resolve(root, "crates/everwire-js/dist");

const types: Record<string, string> = {
  ".js": "text/javascript",
  ".wasm": "application/wasm",
  ".html": "text/html",
  ".json": "application/json",
};
const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>npm package</title>`;

/** What came over one WebSocket. */
export interface Seen {
  readonly messages: string[];
  readonly protocols: string | null;
  readonly url: string;
  code: number | null;
  reason: string;
}

/**
 * A server whose sockets do what their path says, and which serves the package and the modules that run in a page. It stands beside
 * the companion server for what that has no reason to do: any close code and reason, subprotocols, handshakes that go wrong, and
 * telling what it saw.
 *
 * - `/echo` sends back what it gets. `/greet` says `hello` in the moment it opens; `/bytes` the same with the bytes 1, 2, 3.
 * - `/close?code=C&reason=R` closes at once, `/bye?code=C&reason=R` at the first message, each without a code in an empty frame.
 * - `/talk?count=N` sends N numbered messages and closes with 4000. `/cut` ends TCP at the first message, `/gone` at once.
 * - `/refuse?status=S` and `/garbled` spoil the handshake; `/hang` does not answer it, and ends TCP after a second. `/deaf` never reads.
 * - `pick=P` chooses a subprotocol, `pick=` none; without it the first is taken.
 *
 * Each address has an `id`, by which a page asks `/do` for more: `?id=I&what=cut`, `close` with `code` and `reason`, `say` with `text`,
 * `down` to refuse handshakes from now on, `up` to take them again; `seen` tells what came over each of its sockets.
 */
export class Peer {
  readonly #http: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #seen: Seen[] = [];
  readonly #wss: WebSocketServer;
  readonly #waiting = new Set<() => void>();
  readonly #down = new Set<string>();
  readonly #ids = new Map<WebSocket, string>();

  private constructor() {
    this.#wss = new WebSocketServer({
      noServer: true,
      handleProtocols: (protocols, request) => {
        const picked = query(request).get("pick");
        return picked === null ? ([...protocols][0] ?? false) : picked || false;
      },
    });
    this.#http = createServer((request, response) => void this.#serve(request, response));
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("connection", (socket) => {
      this.#sockets.add(socket);
      // A browser may reset what it gives up. From the upgrade on nobody else listens for that, and it would end this process.
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<Peer> {
    if (!existsSync(resolve(built, "index.js"))) {
      throw new Error(`${built} has no index.js: \`cargo xtask npm\` builds it`);
    }
    const peer = new Peer();
    peer.#http.listen(0, "127.0.0.1");
    await once(peer.#http, "listening");
    return peer;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#http.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await once(this.#http, "close");
  }

  #do(what: string | null, id: string, asked: URLSearchParams): void {
    const sockets = [...this.#ids].filter(([, of]) => of === id).map(([socket]) => socket);
    switch (what) {
      case "cut":
        return sockets.forEach((socket) => socket.terminate());
      case "close":
        return sockets.forEach((socket) => socket.close(...ending(asked)));
      case "say":
        return sockets.forEach((socket) => socket.send(asked.get("text") ?? ""));
      case "down":
        this.#down.add(id);
        return sockets.forEach((socket) => socket.terminate());
      case "up":
        this.#down.delete(id);
    }
  }

  /** Every WebSocket whose address has this `id`, in the order of their handshakes. */
  seen(id: string): Seen[] {
    return this.#seen.filter(({ url }) => new URL(url, this.address).searchParams.get("id") === id);
  }

  /** Resolves when the latest WebSocket with this `id` has been closed. */
  async #ended(id: string): Promise<void> {
    while (this.seen(id).at(-1)?.code == null) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #news(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    waiting.forEach((resolve) => resolve());
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.address);
    if (pathname === "/seen" || pathname === "/do") {
      const id = searchParams.get("id") ?? "";
      if (pathname === "/seen") {
        await this.#ended(id);
      }
      this.#do(searchParams.get("what"), id, searchParams);
      response.setHeader("content-type", "application/json");
      return void response.end(JSON.stringify(this.seen(id)));
    }
    const [, place, ...rest] = pathname.split("/");
    const folder = { everwire: built, npm: resolve(root, "e2e/npm") }[place ?? ""];
    const file = folder && resolve(folder, ...rest);
    if (file?.startsWith(`${folder}/`) && existsSync(file)) {
      response.setHeader("content-type", types[extname(file)] ?? "text/plain");
      return void response.end(await readFile(file));
    }
    response.writeHead(pathname === "/" ? 200 : 404, { "content-type": "text/html" });
    response.end(page);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // What follows only makes the address another one.
    const path = `/${new URL(request.url ?? "/", this.address).pathname.split("/")[1]}`;
    const status = path === "/refuse" ? query(request).get("status") : this.#down.has(query(request).get("id") ?? "") ? "503" : null;
    if (status !== null) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    } else if (path === "/garbled") {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n");
    } else if (path === "/hang") {
      // Not for ever: Firefox lets no other WebSocket dial this server while one that it has closed is still waiting for an answer.
      setTimeout(() => socket.destroy(), 1_000);
    } else {
      this.#wss.handleUpgrade(request, socket, head, (client) => this.#behave(client, request, path, socket));
    }
  }

  #behave(client: WebSocket, request: IncomingMessage, path: string, socket: Duplex): void {
    const asked = query(request);
    const protocols = request.headers["sec-websocket-protocol"] ?? null;
    const seen: Seen = { messages: [], protocols, url: request.url ?? "", code: null, reason: "" };
    this.#seen.push(seen);
    this.#news();
    const close = () => client.close(...ending(asked));
    this.#ids.set(client, asked.get("id") ?? "");
    client.on("error", () => client.terminate());
    client.on("close", (code, reason) => {
      this.#ids.delete(client);
      Object.assign(seen, { code, reason: reason.toString() });
      this.#news();
    });
    client.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      seen.messages.push(isBinary ? `0x${bytes.toString("hex")}` : bytes.toString());
      this.#news();
      if (path === "/bye") {
        close();
      } else if (path === "/cut") {
        socket.destroy();
      } else if (path === "/echo" || path === "/greet") {
        client.send(bytes, { binary: isBinary });
      }
    });
    switch (path) {
      case "/greet":
        return client.send("hello");
      case "/bytes":
        return client.send(Buffer.of(1, 2, 3));
      case "/close":
        return close();
      case "/gone":
        return void socket.destroy();
      case "/deaf":
        return client.pause();
      case "/talk":
        for (let count = 0; count < Number(asked.get("count")); count += 1) {
          client.send(`${count}`);
        }
        return client.close(4000, "said all");
    }
  }
}

/** The code and reason that an address asks for. */
function ending(asked: URLSearchParams): [number?, string?] {
  return asked.has("code") ? [Number(asked.get("code")), asked.get("reason") ?? ""] : [];
}

function query(request: IncomingMessage): URLSearchParams {
  return new URL(request.url ?? "/", "http://localhost").searchParams;
}
