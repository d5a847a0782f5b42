import { parseAddress, parseProtocols } from "./arguments.js";
import { INPUT_CLOSED, INPUT_OPENED, INPUT_PROVIDER_FAILED, INPUT_REFUSED } from "./codes.js";

/** What is known of an ending that nobody has told anything about: 1006 is a browser's code for no close frame (RFC 6455, 7.1.5). */
export const NOTHING_TOLD = { code: 1006, reason: "", wasClean: false, isError: true };

/**
 * One WebSocket after the other: each attempt makes one, and no two exist at a time. `sources` are address and subprotocols, or
 * functions that give them; `tell` takes inputs for the core, `receive` the messages.
 */
export function createLink(WebSocket, sources, tell, receive) {
  const isAsked = (source) => typeof source === "function";
  /** The bytes in the present socket's buffer when they were last counted. */
  let held = 0;
  let binaryType = "blob";
  const link = {
    /** Whether a function gives the address or the subprotocols of each attempt, and with them new credentials. */
    asks: sources.some(isAsked),
    /** The number of the present attempt; 0 for none. */
    attempt: 0,
    /** The present socket. */
    socket: undefined,
    /** The address of the latest attempt. */
    url: isAsked(sources[0]) ? "" : sources[0],
    /** What the latest close event or failed function has told. */
    told: NOTHING_TOLD,

    get binaryType() {
      return binaryType;
    },

    set binaryType(type) {
      // A template refuses a symbol, as the browser does.
      type = `${type}`;
      if (type !== "blob" && type !== "arraybuffer") return;
      binaryType = type;
      if (link.socket) link.socket.binaryType = type;
    },

    /** Opens a socket. The attempt has failed where a function for address or protocols throws. */
    dial(attempt, failures) {
      link.abandon();
      link.attempt = attempt;
      link.told = NOTHING_TOLD;
      if (!link.asks) return connect(sources, INPUT_REFUSED);
      const unlessLate = (act) => (result) => link.attempt === attempt && act(result, INPUT_PROVIDER_FAILED);
      const ask = async (source) => (isAsked(source) ? source({ failures }) : source);
      Promise.all(sources.map(ask)).then(unlessLate(connect), unlessLate(link.fail));
    },

    /** Counts the bytes that the present socket has yet to hand to the network. */
    measure() {
      return (held = +link.socket.bufferedAmount);
    },

    /** Listens no more, then closes: a browser may take a minute until a dead socket is gone, and nobody waits for it. */
    abandon() {
      const { socket } = link;
      link.attempt = 0;
      link.socket = undefined;
      if (!socket) return;
      socket.onopen = socket.onmessage = socket.onclose = null;
      try {
        socket.close();
      } catch {
        // Nothing of it is of interest any more.
      }
    },

    /** The attempt has failed, or the platform has thrown, so that its socket is as good as cut. `input` tells the core. */
    fail(error, input, ...operands) {
      const { attempt } = link;
      link.abandon();
      link.told = { ...NOTHING_TOLD, reason: String(error?.message ?? error) };
      tell(input, attempt, ...operands);
    },
  };

  function connect([address, protocols], failure) {
    const { attempt } = link;
    try {
      link.url = parseAddress(address);
      const offered = parseProtocols(protocols);
      const socket = (link.socket = offered.length ? new WebSocket(link.url, offered) : new WebSocket(link.url));
      held = 0;
      socket.binaryType = binaryType;
      socket.onopen = () => tell(INPUT_OPENED, attempt);
      socket.onmessage = receive;
      let failed;
      socket.onerror = (event) => {
        failed = event;
      };
      socket.onclose = ({ code, reason, wasClean }) => {
        // The event of a browser does not say what went wrong; that of the package ws does.
        link.told = { code, reason: reason || failed?.message || "", wasClean, isError: !!failed };
        // Chromium has let go of what it held before it tells of a cut, so that only an earlier look knows of it.
        const buffered = +socket.bufferedAmount || (wasClean ? 0 : held);
        link.attempt = 0;
        link.socket = undefined;
        tell(INPUT_CLOSED, attempt, wasClean ? +code : -code, buffered);
      };
    } catch (error) {
      link.fail(error, failure);
    }
  }

  return link;
}
