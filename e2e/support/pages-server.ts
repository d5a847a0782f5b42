import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo } from "node:net";
import { extname, join, resolve } from "node:path";
import { dist } from "./companion.ts";

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/** Serves a built application at a port of its own, as `trunk serve` does: whatever is asked for that is no file is its page. */
export class PagesServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(folder: string = dist): Promise<PagesServer> {
    const server = createServer(async (request, response) => {
      const path = new URL(request.url ?? "/", "http://localhost").pathname;
      const file = await readFile(join(resolve(folder), path)).catch(() => null);
      const type = types[file === null ? ".html" : extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type });
      response.end(file ?? (await readFile(join(folder, "index.html"))));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new PagesServer(server);
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
