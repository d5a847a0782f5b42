import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A wire to a server that can be cut and go silent. The server behind it runs on, and knows no more of it than a real one would. */
export class TcpLink {
  readonly #server: Server;
  readonly #ends = new Set<Socket>();
  #isUp = true;
  /** How many connections were made over it. */
  made = 0;

  private constructor(port: number) {
    this.#server = createServer((near) => {
      if (!this.#isUp) {
        near.destroy();
        return;
      }
      this.made += 1;
      const far = createConnection(port, "127.0.0.1");
      for (const [end, other] of [[near, far], [far, near]] as const) {
        this.#ends.add(end);
        end.pipe(other);
        // What comes of a cut is no error here.
        end.on("error", () => {});
        end.on("close", () => {
          this.#ends.delete(end);
          other.destroy();
        });
      }
    });
  }

  static async to(port: number): Promise<TcpLink> {
    const link = new TcpLink(port);
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const end of this.#ends) {
      end.destroy();
    }
  }

  /** Cuts it, and lets no new connection be made. */
  goDown(): void {
    this.#isUp = false;
    this.cut();
  }

  comeBack(): void {
    this.#isUp = true;
  }

  /** Lets nothing through any more on the connections that there are: both ends believe that they are connected. */
  goSilent(): void {
    for (const end of this.#ends) {
      end.unpipe();
      end.pause();
    }
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }
}
