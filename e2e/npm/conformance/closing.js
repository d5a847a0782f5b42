import { differs } from "../check.js";

const long = "é".repeat(61);

/** What close is called with, and which error it is; the state does not matter. */
const wrong = {
  "the code 0": [[0], "InvalidAccessError"],
  "the code 999": [[999], "InvalidAccessError"],
  "the code 1001": [[1001], "InvalidAccessError"],
  "the code 1005": [[1005], "InvalidAccessError"],
  "the code 1006": [[1006], "InvalidAccessError"],
  "the code 2999": [[2999], "InvalidAccessError"],
  "the code 5000": [[5000], "InvalidAccessError"],
  "null as code": [[null], "InvalidAccessError"],
  "NaN as code": [[NaN], "InvalidAccessError"],
  "a text that is no number as code": [["x"], "InvalidAccessError"],
  "an object as code": [[{}], "InvalidAccessError"],
  "a code that is too large, not taken modulo 65536": [[65_536 + 1000], "InvalidAccessError"],
  "infinity as code": [[Infinity], "InvalidAccessError"],
  "a negative code": [[-1], "InvalidAccessError"],
  "a symbol as code": [[Symbol("x")], "TypeError"],
  "a big integer as code": [[1000n], "TypeError"],
  "a symbol as reason": [[1000, Symbol("x")], "TypeError"],
  "a reason of 124 bytes": [[1000, `${long}ab`], "SyntaxError"],
  "a reason of 124 letters": [[1000, "x".repeat(124)], "SyntaxError"],
  "a reason that lone surrogates make too long": [[1000, "\ud800".repeat(42)], "SyntaxError"],
  "a wrong code and a reason that is too long": [[1001, "x".repeat(124)], "InvalidAccessError"],
  "a wrong code and a reason that cannot be converted": [[1001, Symbol("x")], "TypeError"],
};

/** What close is called with, and what arrives. */
const right = {
  "no code": [[], 1005, ""],
  "undefined as code": [[undefined], 1005, ""],
  "undefined as code and reason": [[undefined, undefined], 1005, ""],
  "the code 1000": [[1000], 1000, ""],
  "the code 3000": [[3000], 3000, ""],
  "the code 4999": [[4999], 4999, ""],
  "a code and a reason": [[4000, "enough"], 4000, "enough"],
  "a text as code": [["3001"], 3001, ""],
  "a code with a fraction": [[3000.4], 3000, ""],
  "an object that becomes a code": [[{ valueOf: () => 3002 }], 3002, ""],
  "a reason of 123 bytes": [[1000, `${long}a`], 1000, `${long}a`],
  "a reason that is no text": [[1000, 12], 1000, "12"],
  "null as reason": [[1000, null], 1000, "null"],
  "a reason with a lone surrogate": [[1000, "a\ud800"], 1000, "a\ufffd"],
};

/** What the server closes with, and what the event says. */
const byServer = {
  "the code 1000": [{ code: 1000 }, 1000, ""],
  "the code 1001": [{ code: 1001, reason: "going" }, 1001, "going"],
  "the code 1008 and a reason": [{ code: 1008, reason: "policy" }, 1008, "policy"],
  "the code 1011": [{ code: 1011 }, 1011, ""],
  "the code 1012": [{ code: 1012 }, 1012, ""],
  "the code 3000": [{ code: 3000 }, 3000, ""],
  "the code 4999 and a reason beyond ASCII": [{ code: 4999, reason: "grüße 🦀" }, 4999, "grüße 🦀"],
  "no code": [{}, 1005, ""],
};

/** What browsers do not agree about. */
const odd = {
  "a reason without a code": [undefined, "why"],
  "a reason that is too long, without a code": [undefined, "x".repeat(124)],
  "a code half-way between an even and an odd one": [3000.5],
  "a code half-way between an odd and an even one": [3001.5],
  "a code just below a right one": [2999.7],
};

async function outcome(t, Socket, args) {
  const socket = t.track(new Socket(t.at("/echo")));
  const { id } = t;
  await t.next(socket, "open");
  try {
    socket.close(...args);
    const { code, reason } = await t.seen(id);
    return [code, reason];
  } catch ({ name }) {
    socket.close();
    return name;
  }
}

/** The codes that an EverSocket takes as final too. */
const final = new Set([1000, 1008, 3000]);
const each = (table, test) => Object.fromEntries(Object.entries(table).map(([name, row]) => test(name, row)));

export default {
  ...each(wrong, (name, [args, error]) => [
    `${name} is a ${error} in every state, and closes nothing`,
    async (t) => {
      const socket = t.dial(t.at("/echo"));
      const refused = () => t.throws(error, () => socket.close(...args), "close");
      const { code } = refused();
      if (error !== "TypeError") {
        t.equal(code, { InvalidAccessError: 15, SyntaxError: 12 }[error], "code of the error");
      }
      t.equal(socket.readyState, 0, "readyState");
      await t.next(socket, "open");
      refused();
      t.equal(socket.readyState, 1, "readyState");
      socket.close();
      refused();
      await t.next(socket, "close");
      refused();
    },
  ]),
  ...each(right, (name, [args, code, reason]) => [
    `${name} arrives and comes back`,
    async (t) => {
      const socket = await t.open();
      const { id } = t;
      t.equal(socket.close(...args), undefined, "result");
      t.equal(socket.readyState, 2, "readyState");
      const event = await t.next(socket, "close");
      t.equal([event.code, event.reason, event.wasClean], [code, reason, true], "what the event says");
      const seen = await t.seen(id);
      t.equal([seen.code, seen.reason], [code, reason], "what the server saw");
    },
  ]),
  ...each(byServer, (name, [query, code, reason]) => {
    const test = async (t) => {
      const socket = t.dial(t.at("/bye", query));
      const log = t.log(socket);
      await t.next(socket, "open");
      socket.send("go");
      const event = await t.next(socket, "close");
      t.equal([event.code, event.reason, event.wasClean], [code, reason, true], "what the event says");
      t.equal([log, socket.readyState], [["open", "close"], 3], "events and readyState");
    };
    return [`${name} from the server is told`, final.has(code) ? test : differs("a drop is not a close", test)];
  }),
  ...each(odd, (name, args) => [
    `${name} is sent or refused as the browser's own class does`,
    differs("odd arguments", async (t) => t.equal(await outcome(t, t.Socket, args), await outcome(t, WebSocket, args), "outcome")),
  ]),
  "the code is converted before the reason": (t) => {
    const order = [];
    t.dial(t.at("/echo")).close({ valueOf: () => (order.push("code"), 1000) }, { toString: () => (order.push("reason"), "") });
    t.equal(order, ["code", "reason"], "order");
  },
  "close while it connects is error and close with 1006": async (t) => {
    const socket = t.dial(t.at("/hang"));
    const log = t.log(socket);
    socket.close(4000, "never mind");
    t.equal([socket.readyState, log.length], [2, 0], "readyState and events right after");
    const event = await t.next(socket, "close");
    t.equal([event.code, event.reason, event.wasClean], [1006, "", false], "what the event says");
    t.equal([log, socket.readyState], [["error", "close"], 3], "events and readyState");
  },
  "close right after the construction opens nothing": async (t) => {
    const socket = t.dial(t.at("/echo"));
    const log = t.log(socket);
    socket.close();
    await t.next(socket, "close");
    await t.turn(20);
    t.equal(log, ["error", "close"], "events");
  },
  "close twice is close once, with the first code": async (t) => {
    const socket = await t.open();
    const { id } = t;
    const log = t.log(socket);
    socket.close(4001, "first");
    socket.close(4002, "second");
    const event = await t.next(socket, "close");
    socket.close(4003);
    await t.turn(10);
    t.equal([event.code, event.reason, log], [4001, "first", ["close"]], "what happened");
    t.equal((await t.seen(id)).code, 4001, "what the server saw");
  },
  "close of a closed socket does nothing": async (t) => {
    const socket = await t.closed();
    const log = t.log(socket);
    t.equal(socket.close(), undefined, "result");
    t.equal(socket.close(4000, "again"), undefined, "result");
    await t.turn(10);
    t.equal([socket.readyState, log], [3, []], "readyState and events");
  },
  "close dispatches nothing before it returns": async (t) => {
    const socket = await t.open();
    const log = t.log(socket);
    socket.close();
    t.equal(log, [], "events");
    await t.next(socket, "close");
  },
  "close from within the open event": async (t) => {
    const socket = t.dial(t.at("/echo"));
    const log = t.log(socket);
    socket.onopen = () => socket.close(3333);
    t.equal((await t.next(socket, "close")).code, 3333, "code");
    t.equal(log, ["open", "close"], "events");
  },
  "close from within a message event": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const log = t.log(socket);
    socket.onmessage = () => socket.close(1000, "heard");
    const { code, reason } = await t.next(socket, "close");
    t.equal([code, reason, log], [1000, "heard", ["open", "message", "close"]], "what happened");
  },
  "close from within the error event changes nothing": async (t) => {
    const socket = t.dial(t.at("/hang"));
    const log = t.log(socket);
    socket.onerror = () => socket.close();
    socket.close();
    await t.next(socket, "close");
    t.equal(log, ["error", "close"], "events");
  },
  "close from within the close event does nothing": async (t) => {
    const socket = await t.open();
    const log = t.log(socket);
    socket.onclose = () => socket.close(4000);
    socket.close();
    await t.next(socket, "close");
    await t.turn(10);
    t.equal(log, ["close"], "events");
  },
  "a new socket can be made within the close event": async (t) => {
    const socket = await t.open();
    const opened = new Promise((resolve) => (socket.onclose = () => resolve(t.open())));
    socket.close();
    t.equal((await opened).readyState, 1, "readyState");
  },
  "messages before a close by the server all come": differs("a drop is not a close", async (t) => {
    const socket = t.dial(t.at("/talk", { count: 50 }));
    const got = [];
    socket.onmessage = ({ data }) => got.push(Number(data));
    const { code, reason } = await t.next(socket, "close");
    t.equal(got, Array.from({ length: 50 }, (_, index) => index), "messages");
    t.equal([code, reason], [4000, "said all"], "what the event says");
  }),
};
