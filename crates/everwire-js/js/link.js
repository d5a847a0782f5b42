import { INPUT_ADDRESS_REFUSED, INPUT_CLOSED, INPUT_OPENED, INPUT_PROVIDER_FAILED } from "../build/codes.js";

/** An end without a close frame, as a browser reports it (RFC 6455, 7.1.5), and without any other cause. */
export const NO_CLOSE_FRAME = { code: 1006, reason: "", wasClean: false, isError: true };

/**
 * One WebSocket after the other: each attempt makes one, and no two exist at a time. `provide` gives an array of the address and the
 * subprotocols of an attempt, or a promise of it; `handle` takes inputs for the core, `receive` the events of messages.
 */
export function createLink(WebSocket, provide, handle, receive) {
  /** The bytes in the present socket's buffer when they were last counted. */
  let buffered = 0;
  const link = {
    /** The number of the present attempt; 0 for none. */
    attempt: 0,
    /** The present socket. */
    socket: undefined,
    /** The address of the latest attempt. */
    url: "",
    binaryType: "blob",
    /** How the latest attempt ended, as its close event or the error of a function says. */
    ending: NO_CLOSE_FRAME,

    /** Opens a socket. The attempt has failed where a function for address or protocols throws. */
    dial(attempt, failures) {
      link.detach();
      link.attempt = attempt;
      link.ending = NO_CLOSE_FRAME;
      const provided = provide({ failures });
      if (!provided.then) return connect(provided, INPUT_ADDRESS_REFUSED);
      const unlessLate = (then) => (result) => link.attempt === attempt && then(result, INPUT_PROVIDER_FAILED);
      provided.then(unlessLate(connect), unlessLate(link.fail));
    },

    /** Counts the bytes that the present socket has yet to hand to the network. */
    measure() {
      return (buffered = +link.socket.bufferedAmount);
    },

    /** Removes the listeners, then closes: a browser may take a minute until a dead socket is closed. */
    detach() {
      const { socket } = link;
      link.attempt = 0;
      link.socket = undefined;
      if (!socket) return;
      socket.onopen = socket.onmessage = socket.onclose = null;
      try {
        socket.close();
      } catch {
        // Whatever the platform thinks of it, it is not used any more.
      }
    },

    /** The attempt has failed, or the platform has thrown, so that its socket is as good as cut. `input` reports it to the core. */
    fail(error, input, ...given) {
      const { attempt } = link;
      link.detach();
      link.ending = { ...NO_CLOSE_FRAME, reason: String(error?.message ?? error) };
      handle(input, attempt, ...given);
    },
  };

  function connect([url, ...protocols], failure) {
    const { attempt } = link;
    try {
      link.url = url;
      const socket = (link.socket = new WebSocket(url, ...protocols));
      buffered = 0;
      socket.binaryType = link.binaryType;
      socket.onopen = () => handle(INPUT_OPENED, attempt);
      socket.onmessage = (event) => {
        // What it answers has left. Unless that is known, a cut that follows would put it at risk.
        if (buffered) link.measure();
        receive(event);
      };
      let failed;
      socket.onerror = (event) => {
        failed = event;
      };
      socket.onclose = ({ code, reason, wasClean }) => {
        // The event of a browser does not say what went wrong; that of the package ws does.
        link.ending = { code, reason: reason || failed?.message || "", wasClean, isError: !!failed };
        // Chromium has dropped what it held before it reports a cut, so that only an earlier look knows of it.
        const left = +socket.bufferedAmount || (wasClean ? 0 : buffered);
        link.attempt = 0;
        link.socket = undefined;
        handle(INPUT_CLOSED, attempt, wasClean ? +code : -code, left);
      };
    } catch (error) {
      link.fail(error, failure);
    }
  }

  return link;
}
