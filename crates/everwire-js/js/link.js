import { parseAddress, parseProtocols } from "./arguments.js";
import { INPUT_CLOSED, INPUT_OPENED, INPUT_PROVIDER_FAILED, INPUT_REFUSED } from "./codes.js";

/** The code that a browser reports where the connection ended without a close frame (RFC 6455, section 7.1.5). */
const NO_CLOSE_FRAME = 1006;
/** What is known of an ending that nobody has told anything about. */
export const NOTHING_TOLD = { code: NO_CLOSE_FRAME, reason: "", wasClean: false };

/** One WebSocket after the other: each attempt makes one, and no two exist at a time. */
export class Link {
  #WebSocket;
  #sources;
  #tell;
  #receive;
  #binaryType = "blob";

  /** The number of the present attempt; 0 for none. */
  attempt = 0;
  /** The present socket. */
  socket;
  /** The address of the latest attempt. */
  url = "";
  /** What the latest close event or failed provider has told. */
  told = NOTHING_TOLD;

  /** `tell` takes inputs for the core, `receive` the messages. */
  constructor(WebSocket, address, protocols, tell, receive) {
    this.#WebSocket = WebSocket;
    this.#sources = [address, protocols];
    this.#tell = tell;
    this.#receive = receive;
    if (typeof address !== "function") this.url = address;
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(given) {
    const type = `${given}`;
    if (type !== "blob" && type !== "arraybuffer") return;
    this.#binaryType = type;
    if (this.socket) this.socket.binaryType = type;
  }

  /** Opens a socket. The attempt has failed where a function for address or protocols throws. */
  dial(attempt, failures) {
    this.abandon();
    this.attempt = attempt;
    this.told = NOTHING_TOLD;
    const isAsked = (source) => typeof source === "function";
    if (!this.#sources.some(isAsked)) return this.#connect(this.#sources, INPUT_REFUSED);
    const ask = async (source) => (isAsked(source) ? source({ failures }) : source);
    const unlessLate = (act) => (result) => this.attempt === attempt && act(result, INPUT_PROVIDER_FAILED);
    Promise.all(this.#sources.map(ask)).then(
      unlessLate((...given) => this.#connect(...given)),
      unlessLate((...given) => this.#fail(...given)),
    );
  }

  /** Listens no more, then closes: a browser may take a minute until a dead socket is gone, and nobody waits for it. */
  abandon() {
    const { socket } = this;
    this.#forget();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #forget() {
    this.attempt = 0;
    this.socket = undefined;
  }

  #connect([address, protocols], failure) {
    const attempt = this.attempt;
    let socket;
    try {
      this.url = parseAddress(address);
      const offered = parseProtocols(protocols);
      socket = offered.length ? new this.#WebSocket(this.url, offered) : new this.#WebSocket(this.url);
    } catch (error) {
      return this.#fail(error, failure);
    }
    this.socket = socket;
    socket.binaryType = this.#binaryType;
    socket.onopen = () => this.#tell(INPUT_OPENED, attempt);
    socket.onmessage = this.#receive;
    // A browser tells nothing with it, and a `close` follows; but the class of the package ws throws where nobody listens.
    socket.onerror = () => {};
    socket.onclose = (event) => {
      this.told = event;
      this.#forget();
      this.#tell(INPUT_CLOSED, attempt, event.wasClean ? event.code : -event.code, socket.bufferedAmount);
    };
  }

  #fail(error, failure) {
    const attempt = this.attempt;
    this.told = { ...NOTHING_TOLD, reason: String(error?.message ?? error) };
    this.#forget();
    this.#tell(failure, attempt);
  }
}
