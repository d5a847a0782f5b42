import { differs } from "../check.js";

/** How a connection comes to nothing. */
const ways = {
  "a handshake that is refused with 401": ["/refuse", { status: 401 }],
  "a handshake that is refused with 404": ["/refuse", { status: 404 }],
  "a handshake that is refused with 503": ["/refuse", { status: 503 }],
  "a handshake that is answered with 200": ["/refuse", { status: 200 }],
  "a handshake that is redirected": ["/refuse", { status: 302 }],
  "a handshake with a wrong accept": ["/garbled", {}],
  "a protocol that was not offered": ["/echo", { pick: "other" }, "mine"],
};

const failed = async (t, socket) => {
  const log = t.log(socket);
  const event = await t.next(socket, "close");
  t.equal([event.code, event.reason, event.wasClean], [1006, "", false], "what the event says");
  t.equal([log, socket.readyState, socket.protocol, socket.extensions], [["error", "close"], 3, "", ""], "events and attributes");
};

export default {
  ...Object.fromEntries(
    Object.entries(ways).map(([name, [path, query, ...protocols]]) => [
      `${name} is error, and close with 1006`,
      differs("a drop is not a close", (t) => failed(t, t.dial(t.at(path, query), ...protocols))),
    ]),
  ),
  "a protocol for which the server picked none is treated as the browser's own class does": differs("a drop is not a close", async (t) => {
    const outcome = async (Socket) => {
      const socket = t.track(new Socket(t.at("/echo", { pick: "" }), "mine"));
      const event = await Promise.race([t.next(socket, "open"), t.next(socket, "close")]);
      socket.close();
      return [event.type, socket.protocol];
    };
    t.equal(await outcome(t.Socket), await outcome(WebSocket), "outcome");
  }),
  "a port that nobody listens on is error, and close with 1006": differs("a drop is not a close", (t) =>
    failed(t, t.dial(`ws://127.0.0.1:9/${Math.random()}`))),
  "a host that does not exist is error, and close with 1006": differs("a drop is not a close", (t) =>
    // No label of a name is longer than 63 letters, so that nobody has to be asked.
    failed(t, t.dial(`ws://${"x".repeat(64)}.invalid/${Math.random()}`))),
  "TLS to a server without is error, and close with the code that the browser's own class has": differs("a drop is not a close", async (t) => {
    const outcome = async (Socket) => {
      const socket = t.track(new Socket(t.at("/echo").replace(/^ws/, "wss")));
      const log = t.log(socket);
      const { code, wasClean } = await t.next(socket, "close");
      return [log, code, wasClean];
    };
    t.equal(await outcome(t.Socket), await outcome(WebSocket), "outcome");
  }),
  "a cut without a close frame is close with 1006": differs("a drop is not a close", async (t) => {
    const socket = await t.open("/cut");
    const log = t.log(socket);
    socket.send("cut me");
    const event = await t.next(socket, "close");
    t.equal([event.code, event.reason, event.wasClean], [1006, "", false], "what the event says");
    t.equal([log.at(-1), socket.readyState], ["close", 3], "last event and readyState");
  }),
  "a cut has an error before it or not, as with the browser's own class": differs("a drop is not a close", async (t) => {
    const outcome = async (Socket) => {
      const socket = t.track(new Socket(t.at("/cut")));
      const log = t.log(socket);
      await t.next(socket, "open");
      socket.send("cut me");
      await t.next(socket, "close");
      return log;
    };
    t.equal(await outcome(t.Socket), await outcome(WebSocket), "events");
  }),
  "a cut right after the handshake is open and close": differs("a drop is not a close", async (t) => {
    const socket = t.dial(t.at("/gone"));
    const log = t.log(socket);
    const { code } = await t.next(socket, "close");
    t.equal([code, log.at(-1)], [1006, "close"], "code and last event");
  }),
  "after a failure the constructor works as before": async (t) => {
    const failing = t.dial(t.at("/hang"));
    failing.close();
    await t.next(failing, "close");
    t.equal((await t.open()).readyState, 1, "readyState");
  },
};
