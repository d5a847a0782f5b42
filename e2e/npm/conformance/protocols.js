import { differs } from "../check.js";

const offered = {
  "a string is one protocol": ["one", "one"],
  "an array is several, in its order": [["two", "one"], "two, one"],
  "an empty array is none": [[], null],
  "undefined is none": [undefined, null],
  "any iterable is several": [new Set(["a", "b"]), "a, b"],
  "what a generator yields is several": [{ *[Symbol.iterator]() { yield* ["a", "b"]; } }, "a, b"],
  "items are converted to text": [[1, true, { toString: () => "x" }], "1, true, x"],
  "a number is one protocol": [5, "5"],
  "null is the protocol of that name": [null, "null"],
  "an object that cannot be iterated is one protocol": [{ toString: () => "object" }, "object"],
  "a boxed text is iterated": [new String("ab"), "a, b"],
  "case matters": [["Echo", "echo"], "Echo, echo"],
  "every character of a token may be used": ["!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ"],
};

const refused = {
  "an empty text": "",
  "an empty text among others": ["a", ""],
  "the same one twice": ["a", "a"],
  "the same one twice, with another between": ["a", "b", "a"],
  "one with a space": "a b",
  "one with a comma": "a,b",
  "one with a slash": "a/b",
  "one with a colon": "a:b",
  "one with brackets": "(a)",
  "one with a quotation mark": '"a"',
  "one with an equals sign": "a=b",
  "one with a control character": "a\u0000",
  "one with a tab": "a\tb",
  "one with DEL": "a\u007f",
  "one with a letter beyond ASCII": "é",
  "a wrong one behind a good one": ["good", "b@d"],
  "what is converted to the same text": [1, "1"],
  "an object without a text of its own": {},
};

const broken = {
  "a symbol": Symbol("x"),
  "a symbol in an array": [Symbol("x")],
  "an iterator that is no function": { [Symbol.iterator]: 1 },
  "an iterator that gives no object": { [Symbol.iterator]: () => 1 },
};

const each = (table, test) => Object.fromEntries(Object.entries(table).map(([name, row]) => test(name, row)));

export default {
  ...each(offered, (name, [protocols, header]) => [
    name,
    async (t) => {
      const socket = await t.open("/echo", {}, protocols);
      const { id } = t;
      socket.close();
      t.equal((await t.seen(id)).protocols?.replaceAll(/, */g, ", ") ?? null, header, "what the server was offered");
      t.equal(socket.protocol, header?.split(", ")[0] ?? "", "protocol");
    },
  ]),
  ...each(refused, (name, protocols) => [
    `${name} is a SyntaxError`,
    (t) => void t.throws("SyntaxError", () => new t.Socket(t.at("/echo"), protocols)),
  ]),
  ...each(broken, (name, protocols) => [
    `${name} is a TypeError`,
    (t) => void t.throws("TypeError", () => new t.Socket(t.at("/echo"), protocols)),
  ]),
  "an iterator that is null is none, or an error as in the browser's own class": differs("odd arguments", (t) => {
    const outcome = (Socket) => {
      try {
        const socket = t.track(new Socket(t.at("/hang"), { [Symbol.iterator]: null, toString: () => "text" }));
        t.after(() => socket.close());
        return socket.readyState;
      } catch ({ name }) {
        return name;
      }
    };
    t.equal(outcome(t.Socket), outcome(WebSocket), "outcome");
  }),
  "arguments are converted before they are checked, the address first": (t) => {
    const order = [];
    const url = { toString: () => (order.push("url"), "ftp://localhost") };
    const protocols = { toString: () => (order.push("protocols"), "b@d") };
    t.throws("SyntaxError", () => new t.Socket(url, protocols));
    t.equal(order, ["url", "protocols"], "order");
  },
  "a protocol that cannot be converted outweighs a wrong address": (t) =>
    void t.throws("TypeError", () => new t.Socket("ftp://localhost", Symbol("x"))),
  "the array is read when the socket is made": async (t) => {
    const protocols = ["before"];
    const socket = t.dial(t.at("/echo"), protocols);
    protocols[0] = "after";
    await t.next(socket, "open");
    t.equal(socket.protocol, "before", "protocol");
  },
  "protocol is empty until the socket is open": async (t) => {
    const socket = t.dial(t.at("/echo"), "chat");
    t.equal(socket.protocol, "", "protocol before");
    await t.next(socket, "open");
    t.equal(socket.protocol, "chat", "protocol after");
  },
  "protocol is what the server picked, whatever its place": async (t) => {
    t.equal((await t.open("/echo", { pick: "b" }, ["a", "b", "c"])).protocol, "b", "protocol");
  },
  "protocol stays after the close": async (t) => {
    const socket = await t.open("/echo", {}, "chat");
    socket.close();
    await t.next(socket, "close");
    t.equal(socket.protocol, "chat", "protocol");
  },
};
