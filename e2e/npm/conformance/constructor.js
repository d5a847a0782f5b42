import { differs, inWindow } from "../check.js";

const host = location.host;
const page = location.href;

/** What an address becomes: `url`, right after construction. */
const addresses = {
  "an absolute address stays as it is": [`ws://${host}/echo`, `ws://${host}/echo`],
  "an address without a path gets one": [`ws://${host}`, `ws://${host}/`],
  "a path is taken from the page's server": ["/echo?a=b", `ws://${host}/echo?a=b`],
  "a relative address is taken from the page's place": ["echo/../echo", new URL("echo", page).href.replace(/^http/, "ws")],
  "an address with the scheme left out gets the page's": [`//${host}/echo`, `ws://${host}/echo`],
  "a query alone is taken from the page's address": ["?x=1", new URL("?x=1", page).href.replace(/^http/, "ws")],
  "http stands for ws": [`http://${host}/echo`, `ws://${host}/echo`],
  "https stands for wss": [`https://${host}/echo`, `wss://${host}/echo`],
  "the scheme may be in capitals": [`WS://${host}/echo`, `ws://${host}/echo`],
  "white space around an address is taken off": [` \n ws://${host}/echo\t`, `ws://${host}/echo`],
  "a host is written in small letters": ["ws://LOCALHOST:9/echo", "ws://localhost:9/echo"],
  "the scheme's own port is left out": ["ws://localhost:80/echo", "ws://localhost/echo"],
  "the port of wss is left out": ["wss://localhost:443/echo", "wss://localhost/echo"],
  "the port of the other scheme is not": ["ws://localhost:443/echo", "ws://localhost:443/echo"],
  "what is not ASCII is encoded": [`ws://${host}/é?ü`, `ws://${host}/%C3%A9?%C3%BC`],
  "a lone surrogate becomes the replacement character": [`ws://${host}/\ud800`, `ws://${host}/%EF%BF%BD`],
  "dots in a path are worked out": [`ws://${host}/a/./b/../echo`, `ws://${host}/a/echo`],
  "a URL object is taken as its text": [new URL(`ws://${host}/echo?url`), `ws://${host}/echo?url`],
  "an object is taken as its text": [{ toString: () => `ws://${host}/echo?object` }, `ws://${host}/echo?object`],
  "an array is taken as its text": [[`ws://${host}/echo`], `ws://${host}/echo`],
  "a number is taken as a relative address": [7, new URL("7", page).href.replace(/^http/, "ws")],
  "null is taken as a relative address": [null, new URL("null", page).href.replace(/^http/, "ws")],
  "undefined is taken as a relative address": [undefined, new URL("undefined", page).href.replace(/^http/, "ws")],
};

const refused = {
  "a fragment": `ws://${host}/echo#part`,
  "an empty fragment": `ws://${host}/echo#`,
  "another scheme": "ftp://localhost/",
  "the scheme of a mail address": "mailto:a@b.example",
  "the scheme about": "about:blank",
  "the scheme data": "data:text/plain,x",
  "the scheme blob": "blob:null/1",
  "a scheme that nobody knows": "wsx://localhost/",
  "a host with a character that no host has": "ws://a<b/",
  "a host that is missing": "ws://",
  "a port out of range": "ws://localhost:65536/",
  "a port that is no number": "ws://localhost:x/",
  "an IPv6 address without its end": "ws://[::1/",
};

const each = (table, test) => Object.fromEntries(Object.entries(table).map(([name, row]) => test(name, row)));

export default {
  ...each(addresses, (name, [address, url]) => [
    name,
    (t) => {
      const socket = t.dial(address);
      t.equal(socket.url, url, "url");
      t.equal(socket.readyState, 0, "readyState");
    },
  ]),
  ...each(refused, (name, address) => [
    `${name} in the address is a SyntaxError`,
    (t) => {
      t.equal(t.throws("SyntaxError", () => new t.Socket(address)).code, 12, "code");
    },
  ]),
  "an empty address is taken or refused as the browser's own class does": differs("odd arguments", (t) => {
    const outcome = (Socket) => {
      try {
        const socket = t.track(new Socket(""));
        t.after(() => socket.close());
        return socket.url;
      } catch ({ name }) {
        return name;
      }
    };
    t.equal(outcome(t.Socket), outcome(WebSocket), "outcome");
  }),
  "the address is converted once": (t) => {
    let calls = 0;
    t.dial({ toString: () => (calls += 1, t.at("/echo")) });
    t.equal(calls, 1, "calls");
  },
  "what the address throws when it is converted is thrown": (t) => {
    const mine = new RangeError("mine");
    try {
      new t.Socket({
        toString() {
          throw mine;
        },
      });
    } catch (error) {
      return t.equal(error, mine, "error");
    }
    throw new Error("nothing was thrown");
  },
  "a symbol as address is a TypeError": (t) => void t.throws("TypeError", () => new t.Socket(Symbol("x"))),
  "no argument is a TypeError": (t) => void t.throws("TypeError", () => new t.Socket()),
  "a call without new is a TypeError": (t) => {
    const { Socket } = t;
    t.throws("TypeError", () => Socket(t.at("/echo")));
    t.throws("TypeError", () => Socket.call({}, t.at("/echo")));
  },
  "it can be extended": async (t) => {
    class Mine extends t.Socket {
      constructor(url) {
        super(url);
        this.mine = true;
      }
      greet() {
        return this.readyState;
      }
    }
    const socket = new Mine(t.at("/echo"));
    t.equal(socket.greet(), 0, "a method of the subclass");
    t.ok(socket.mine && socket instanceof Mine && socket instanceof t.Socket, "being of both classes");
    await t.next(socket, "open");
    t.equal(socket.greet(), 1, "a method of the subclass");
    socket.close();
  },
  "Reflect.construct gives it the prototype of the new target": (t) => {
    class Other {}
    const socket = Reflect.construct(t.Socket, [t.at("/echo")], Other);
    t.after(() => t.Socket.prototype.close.call(socket));
    t.ok(socket instanceof Other && !(socket instanceof t.Socket), "being of the other class alone");
  },
  "an address of the same server connects": async (t) => {
    const socket = t.dial("/echo");
    await t.next(socket, "open");
    t.equal(socket.readyState, 1, "readyState");
  },
  "http in the address connects": async (t) => {
    const socket = t.dial(t.at("/echo").replace(/^ws/, "http"));
    await t.next(socket, "open");
  },
  "user and password stay in the address": (t) => {
    t.equal(t.dial(`ws://user:secret@${host}/hang`).url, `ws://user:secret@${host}/hang`, "url");
  },
  "a base element changes what a relative address means, if it does for the browser's own class": differs("odd arguments", inWindow((t) => {
    const base = document.createElement("base");
    base.href = `http://${host}/elsewhere/`;
    document.head.append(base);
    const [{ url }, browsers] = [t.dial("echo"), new WebSocket("echo")];
    base.remove();
    browsers.close();
    t.equal(url, browsers.url, "url");
  })),
  "nothing is dispatched before the constructor has returned": async (t) => {
    const socket = t.dial(t.at("/greet"));
    const log = t.log(socket);
    t.equal(log.length, 0, "events");
    await t.next(socket, "message");
    t.equal(log[0], "open", "the first event");
  },
  "many sockets to one address are told apart": async (t) => {
    const url = t.at("/echo");
    const sockets = Array.from({ length: 5 }, () => t.dial(url));
    const answers = sockets.map(async (socket, index) => {
      await t.next(socket, "open");
      socket.send(`${index}`);
      return (await t.next(socket, "message")).data;
    });
    t.equal(await Promise.all(answers), ["0", "1", "2", "3", "4"], "answers");
  },
};
