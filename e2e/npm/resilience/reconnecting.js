const quickest = { floor: 1, first: 5, max: 5, quick: 5 };
const all = ["open", "message", "error", "close", "reconnecting", "reconnected", "drop"];
const final = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, 4400, 4401, 4404, 4499];
const passing = [1001, 1011, 1012, 1013, 1014, 3008, 4000, 4100, 4408, 4429, 4500];

/** Opens a socket, has the connection cut, and waits until it is back. */
async function lost(t, socket) {
  await t.next(socket, "open");
  const reconnecting = t.next(socket, "reconnecting");
  const back = t.next(socket, "reconnected");
  await t.server("cut");
  return { reconnecting: await reconnecting, reconnected: await back };
}

export default {
  "a connection that was cut is made again, and nobody is told of a close": async (t) => {
    const socket = t.ever();
    const log = t.log(socket, all);
    await lost(t, socket);
    t.equal(log, ["open", "reconnecting", "open", "reconnected"], "events");
    t.equal(socket.readyState, 1, "readyState");
  },
  "reconnecting tells why, and when the next attempt is": async (t) => {
    const { reconnecting } = await lost(t, t.ever());
    const { type, cause, code, reason, wasClean, attempt, delay } = reconnecting;
    t.equal([type, cause, code, reason, wasClean, attempt], ["reconnecting", "closed", 1006, "", false, 1], "what it tells");
    t.ok(delay >= 0 && delay <= 40, `a delay of ${delay}`);
  },
  "reconnecting tells the code and the reason of a close by the server": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    const reconnecting = t.next(socket, "reconnecting");
    await t.server("close", { code: 4000, reason: "moving house" });
    const { code, reason, wasClean } = await reconnecting;
    t.equal([code, reason, wasClean], [4000, "moving house", true], "what it tells");
  },
  "reconnected tells how many attempts it took, and how long": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    const attempts = [];
    socket.onreconnecting = ({ attempt }) => attempts.push(attempt);
    await t.server("down");
    await t.until(() => attempts.length >= 3);
    const back = t.next(socket, "reconnected");
    await t.server("up");
    const { attempts: count, downtime } = await back;
    t.equal(attempts, attempts.map((_, index) => index + 1), "the numbers of the attempts");
    t.equal(count, attempts.length, "attempts");
    t.ok(downtime > 0, `a downtime of ${downtime}`);
  },
  "while it is down readyState is CONNECTING, and send does not throw": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    const down = t.next(socket, "reconnecting");
    await t.server("down");
    await down;
    t.equal(socket.readyState, 0, "readyState");
    t.equal(socket.send("x"), "queued", "outcome");
  },
  "handlers, listeners and binaryType are kept": async (t) => {
    const socket = t.ever();
    const got = [];
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => got.push(["handler", Object.prototype.toString.call(data)]);
    socket.addEventListener("message", () => got.push(["listener"]));
    await lost(t, socket);
    socket.send(Uint8Array.of(1));
    await t.next(socket, "message");
    t.equal(got, [["handler", "[object ArrayBuffer]"], ["listener"]], "what was called");
  },
  "the attributes are those of the new connection": async (t) => {
    const socket = t.ever("/echo", {}, {}, ["chat"]);
    await lost(t, socket);
    t.equal([socket.protocol, socket.extensions, new URL(socket.url).searchParams.get("id")], ["chat", "", t.id], "attributes");
  },
  "the first connection is tried again too": async (t) => {
    const url = t.at("/echo");
    await t.server("down");
    const socket = t.dial(url, [], { backoff: { floor: 5, first: 20, max: 40 } });
    const log = t.log(socket, all);
    const opened = t.next(socket, "open");
    await t.next(socket, "reconnecting");
    await t.server("up");
    await opened;
    t.equal(log.filter((type) => type !== "reconnecting"), ["open"], "events but reconnecting");
  },
  "a function gives the address of each attempt": async (t) => {
    const url = t.at("/echo");
    const asked = [];
    const socket = t.dial(
      ({ failures }) => {
        asked.push(failures);
        return `${url}&token=${asked.length}`;
      },
      [],
      { backoff: { floor: 5, first: 20 } },
    );
    t.equal(socket.url, "", "url before");
    await lost(t, socket);
    t.equal(asked, [0, 1], "failures that it was told");
    t.ok(socket.url.endsWith("token=2"), `the latest address in ${socket.url}`);
    t.equal((await t.server("seen")).map((seen) => seen.url.at(-1)), ["1", "2"], "tokens that the server saw");
  },
  "the function may give a promise, a URL, or a relative address": async (t) => {
    const url = new URL(t.at("/echo"));
    const forms = [async () => url.href, () => url, () => url.pathname + url.search, async () => new URL(url.href.replace("ws", "http"))];
    for (const form of forms) {
      const socket = t.dial(form);
      await t.next(socket, "open");
      t.equal(socket.url, url.href, "url");
    }
  },
  "a function that throws is a failed attempt, and the next one may succeed": async (t) => {
    const url = t.at("/echo");
    const failures = [
      () => { throw new Error("no token"); },
      async () => { throw new Error("no token yet"); },
      () => "ftp://localhost",
      () => Symbol("x"),
      () => url,
    ];
    const drops = [];
    const socket = t.dial(() => failures.shift()(), [], { backoff: { floor: 5, first: 20, max: 20 } });
    socket.onreconnecting = ({ cause, reason }) => drops.push([cause, reason]);
    await t.next(socket, "open");
    t.equal(drops.map(([cause]) => cause), Array(4).fill("provider"), "causes");
    t.equal(drops.slice(0, 2).map(([, reason]) => reason), ["no token", "no token yet"], "reasons");
  },
  "a function gives the subprotocols of each attempt": async (t) => {
    const offers = ["one", ["two", "three"]];
    const socket = t.ever("/echo", {}, {}, async () => offers.shift());
    await lost(t, socket);
    t.equal((await t.server("seen")).map(({ protocols }) => protocols.replace(/, */, ",")), ["one", "two,three"], "protocols");
    t.equal(socket.protocol, "two", "protocol");
  },
  "a function for subprotocols that throws is a failed attempt": async (t) => {
    let calls = 0;
    const socket = t.ever("/echo", {}, {}, () => {
      calls += 1;
      if (calls === 1) throw new Error("not now");
      return "chat";
    });
    const { cause, reason } = await t.next(socket, "reconnecting");
    t.equal([cause, reason], ["provider", "not now"], "what it tells");
    await t.next(socket, "open");
  },
  "close while the function is asked dials nothing": async (t) => {
    let give;
    const url = t.at("/echo");
    const socket = t.dial(() => new Promise((resolve) => (give = resolve)));
    const log = t.log(socket, all);
    await t.until(() => give);
    socket.close();
    await t.next(socket, "close");
    give(url);
    await t.turn(20);
    t.equal(log, ["error", "close"], "events");
    t.equal(await t.server("seen"), [], "dials");
  },
  ...Object.fromEntries(
    [0, 1, 3].map((maxRetries) => [
      `maxRetries: ${maxRetries} ends after so many retries`,
      async (t) => {
        const socket = t.ever("/refuse", { backoff: { ...quickest, maxRetries } }, { status: 503 });
        const log = t.log(socket, all);
        const { code, wasClean } = await t.next(socket, "close");
        t.equal(log, [...Array(maxRetries).fill("reconnecting"), "error", "close"], "events");
        t.equal([code, wasClean, socket.readyState], [1006, false, 3], "code, wasClean and readyState");
      },
    ]),
  ),
  ...Object.fromEntries(
    final.map((code) => [
      `the code ${code} from the server is final`,
      async (t) => {
        const socket = t.ever("/bye", {}, { code, reason: "that is it" });
        const log = t.log(socket, all);
        await t.next(socket, "open");
        socket.send("go");
        const event = await t.next(socket, "close");
        t.equal([event.code, event.reason, event.wasClean], [code, "that is it", true], "what close tells");
        t.equal(log, ["open", "close"], "events");
      },
    ]),
  ),
  ...Object.fromEntries(
    [3000, 4401].map((code) => [
      `the code ${code} from the server is worth another attempt where a function gives the credentials`,
      async (t) => {
        const [url, good] = [t.at("/bye", { code }), t.at("/echo")];
        const sources = {
          address: [() => (opened ? good : url), []],
          subprotocols: [url, async () => "token"],
        };
        let opened = 0;
        for (const [name, [address, protocols]] of Object.entries(sources)) {
          opened = 0;
          const socket = t.dial(address, protocols, { backoff: { floor: 5, first: 20, max: 20 } });
          socket.addEventListener("open", () => (opened += 1));
          await t.next(socket, "open");
          const drop = t.next(socket, "reconnecting");
          socket.send("go");
          const event = await drop;
          t.equal([event.code, event.attempt], [code, 1], `what reconnecting tells with a function for the ${name}`);
          t.ok(event.delay >= 5, `a delay of ${event.delay}`);
          await t.next(socket, "open");
          socket.close();
        }
      },
    ]),
  ),
  "shouldReconnect is told that refused credentials are retried by default where a function gives them": async (t) => {
    const url = t.at("/bye", { code: 4401 });
    const asked = [];
    const socket = t.dial(() => url, [], { shouldReconnect: ({ code }, byDefault) => void asked.push([code, byDefault]) ?? false });
    await t.next(socket, "open");
    socket.send("go");
    await t.next(socket, "close");
    t.equal(asked, [[4401, true]], "what it was told");
  },
  ...Object.fromEntries(
    passing.map((code) => [
      `after the code ${code} from the server another attempt follows`,
      async (t) => {
        const socket = t.ever();
        await t.next(socket, "open");
        const back = t.next(socket, "reconnected");
        const drop = t.next(socket, "reconnecting");
        await t.server("close", { code });
        t.equal((await drop).code, code, "code");
        await back;
      },
    ]),
  ),
  "a final close by the server has no error before it": async (t) => {
    const socket = t.ever("/close", {}, { code: 4403, reason: "no" });
    const log = t.log(socket);
    await t.next(socket, "close");
    t.equal(log, ["open", "close"], "events");
  },
  "close while it waits has an error that says nothing before it, as while it connects": async (t) => {
    const socket = t.ever("/echo", { backoff: { floor: 600_000, first: 600_000, max: 600_000 } });
    await t.next(socket, "open");
    const down = t.next(socket, "reconnecting");
    await t.server("cut");
    await down;
    const failed = t.next(socket, "error");
    const log = t.log(socket);
    socket.close();
    const { message } = await failed;
    const { code, wasClean } = await t.next(socket, "close");
    t.equal([message, log, code, wasClean], [undefined, ["error", "close"], 1006, false], "message, events and what close tells");
  },
  ...Object.fromEntries(
    Object.entries({
      "an address that the platform refuses": [
        "the page is secure",
        (t) => {
          class Secure {
            constructor() {
              throw new DOMException("the page is secure", "SecurityError");
            }
          }
          return t.ever("/echo", { WebSocket: Secure });
        },
      ],
      "a connect timeout": ["No connection: connect-timeout.", (t) => t.ever("/hang", { connectTimeout: 60, backoff: { ...quickest, maxRetries: 0 } })],
      "a connect timeout that shouldReconnect makes final": ["No connection: connect-timeout.", (t) => t.ever("/hang", { connectTimeout: 60, shouldReconnect: () => false })],
      "a silence": ["No connection: heartbeat-timeout.", (t) => t.ever("/deaf", { heartbeat: { silence: 60 }, backoff: { ...quickest, maxRetries: 0 } })],
      "a refused handshake": ["No connection: closed.", (t) => t.ever("/refuse", { backoff: { ...quickest, maxRetries: 0 } }, { status: 503 })],
      "a function that throws": ["no token", (t) => t.dial(async () => { throw new Error("no token"); }, [], { backoff: { ...quickest, maxRetries: 0 } })],
    }).map(([name, [message, start]]) => [
      `${name} ends with an error that says so, and a close`,
      async (t) => {
        // The module is there, so that a socket may fail while it is made; nobody listens before.
        await t.next(t.ever(), "open");
        const socket = start(t);
        const log = t.log(socket, ["error", "close"]);
        const failed = t.next(socket, "error");
        await t.next(socket, "close");
        t.equal([(await failed).message, log, socket.readyState], [message, ["error", "close"], 3], "message, events and readyState");
      },
    ]),
  ),
  "what waited has come back when the error is dispatched": async (t) => {
    const socket = t.ever("/refuse", { backoff: { ...quickest, maxRetries: 0 } }, { status: 503 });
    const seen = [];
    socket.ondrop = ({ data }) => seen.push(data);
    socket.onerror = () => seen.push(socket.bufferedAmount);
    socket.send("x");
    await t.next(socket, "close");
    t.equal(seen, ["x", 0], "drop, then bufferedAmount");
  },
  "reconnect() while it closes makes a connection whose failure is an error again": async (t) => {
    const urls = [t.at("/echo"), t.at("/refuse", { status: 503 })];
    const socket = t.dial(() => urls.shift(), [], { backoff: { ...quickest, maxRetries: 0 } });
    await t.next(socket, "open");
    const failed = t.next(socket, "error");
    socket.close();
    socket.reconnect();
    t.equal((await failed).message, "No connection: closed.", "message");
  },
  "shouldReconnect decides": async (t) => {
    const asked = [];
    const socket = t.ever("/bye", { shouldReconnect: (drop, byDefault) => (asked.push([drop.code, byDefault]), asked.length < 2) }, { code: 4401 });
    const log = t.log(socket, all);
    for (const _ of [1, 2]) {
      await t.next(socket, "open");
      socket.send("go");
    }
    const { code } = await t.next(socket, "close");
    t.equal(asked, [[4401, false], [4401, false]], "what it was told");
    t.equal([code, log], [4401, ["open", "reconnecting", "open", "reconnected", "close"]], "what came of it");
  },
  "shouldReconnect that throws is reported, and the default holds": async (t) => {
    const mine = new Error("mine, from a policy");
    const reported = t.reported((error) => error === mine);
    const socket = t.ever("/echo", {
      shouldReconnect() {
        throw mine;
      },
    });
    await lost(t, socket);
    t.equal(reported.length, 1, "reports");
  },
  "reconnect() while it is open makes a new connection": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    const [drop, back] = [t.next(socket, "reconnecting"), t.next(socket, "reconnected")];
    socket.reconnect();
    t.equal((await drop).cause, "requested", "cause");
    await back;
    t.equal((await t.server("seen")).length, 2, "connections");
    socket.send("x");
    t.equal((await t.next(socket, "message")).data, "x", "data");
  },
  "reconnect() while it waits does not wait": async (t) => {
    const socket = t.ever("/echo", { backoff: { floor: 5, first: 1e9, max: 1e9 } });
    await t.next(socket, "open");
    const down = t.next(socket, "reconnecting");
    await t.server("cut");
    t.ok((await down).delay > 20_000, "a long delay");
    socket.reconnect();
    await t.next(socket, "open");
  },
  "reconnect() after a close opens it again": async (t) => {
    const socket = t.ever();
    const log = t.log(socket, all);
    for (const _ of [1, 2, 3]) {
      await t.next(socket, "open");
      socket.close();
      await t.next(socket, "close");
      t.equal(socket.readyState, 3, "readyState");
      socket.reconnect();
      t.equal(socket.readyState, 0, "readyState");
    }
    await t.next(socket, "open");
    await t.turn(10);
    t.equal(log, ["open", "close", "open", "close", "open", "close", "open"], "events");
  },
  "reconnect() works after the retries are used up, also from the error event": async (t) => {
    const url = t.at("/echo");
    await t.server("down");
    const socket = t.dial(url, [], { backoff: { ...quickest, maxRetries: 0 } });
    await t.next(socket, "error");
    await t.server("up");
    socket.reconnect();
    await t.next(socket, "open");
  },
  "reconnect() again and again makes one socket more": async (t) => {
    let made = 0;
    class Counted extends WebSocket {
      constructor(...args) {
        super(...args);
        made += 1;
      }
    }
    const socket = t.ever("/echo", { WebSocket: Counted });
    for (const expected of [1, 2]) {
      for (let count = 0; count < 100; count += 1) socket.reconnect();
      await t.next(socket, "open");
      t.equal(made, expected, "sockets made");
    }
    socket.send("x");
    t.equal((await t.next(socket, "message")).data, "x", "data");
  },
  "reconnect() as soon as it is open keeps to the floor": async (t) => {
    const socket = t.ever("/echo", { backoff: { floor: 300, first: 300, max: 300 } });
    await t.next(socket, "open");
    const opened = performance.now();
    const drop = t.next(socket, "reconnecting");
    socket.reconnect();
    t.ok((await drop).delay <= 300, "no longer than the floor");
    await t.next(socket, "open");
    // Since the first dial, which was before it opened, and not before that.
    t.ok(performance.now() - opened > 100, "the second dial waits");
  },
  "reconnect() as soon as it is closed keeps to the floor": async (t) => {
    const dials = [];
    const url = t.at("/close", { code: 1000 });
    const socket = t.dial(() => (dials.push(performance.now()), url), [], { backoff: { floor: 100, first: 100, max: 100 } });
    socket.onclose = () => socket.reconnect();
    await t.until(() => dials.length >= 4);
    const gaps = dials.slice(1).map((at, index) => at - dials[index]);
    // A timer may ring a little early.
    t.ok(gaps.every((gap) => gap > 98), `gaps of ${gaps}`);
  },
  "close while it waits ends it": async (t) => {
    const socket = t.ever("/echo", { backoff: { floor: 600_000, first: 600_000, max: 600_000 } });
    await t.next(socket, "open");
    const down = t.next(socket, "reconnecting");
    await t.server("cut");
    await down;
    const log = t.log(socket, all);
    socket.close();
    t.equal(socket.readyState, 2, "readyState right after");
    await t.next(socket, "close");
    await t.turn(20);
    t.equal([log.at(-1), socket.readyState], ["close", 3], "last event and readyState");
  },
  "a signal closes it": async (t) => {
    const controller = new AbortController();
    const socket = t.ever("/echo", { signal: controller.signal });
    await t.next(socket, "open");
    controller.abort();
    t.equal(socket.readyState, 2, "readyState");
    await t.next(socket, "close");
  },
  "a signal closes it also after a close and a reconnect": async (t) => {
    const controller = new AbortController();
    const socket = t.ever("/echo", { signal: controller.signal });
    await t.next(socket, "open");
    socket.close();
    await t.next(socket, "close");
    socket.reconnect();
    await t.next(socket, "open");
    socket.dispatchEvent(new CloseEvent("close"));
    const closed = t.next(socket, "close");
    controller.abort();
    await closed;
    t.equal(socket.readyState, 3, "readyState");
  },
  "a signal that has aborted lets nothing open": async (t) => {
    const socket = t.ever("/echo", { signal: AbortSignal.abort() });
    const log = t.log(socket);
    await t.next(socket, "close");
    await t.turn(10);
    t.equal(log, ["error", "close"], "events");
  },
  "asyncDispose closes and waits for the end": async (t) => {
    const socket = t.ever();
    await t.next(socket, "open");
    await socket[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
    t.equal(socket.readyState, 3, "readyState");
    await socket[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
  },
  "on… attributes exist for the events beyond the browser's": async (t) => {
    const socket = t.ever();
    for (const type of ["reconnecting", "reconnected", "latency", "drop"]) {
      t.equal(socket[`on${type}`], null, `on${type}`);
    }
    const seen = [];
    socket.onreconnecting = () => seen.push("reconnecting");
    socket.onreconnected = () => seen.push("reconnected");
    await lost(t, socket);
    t.equal(seen, ["reconnecting", "reconnected"], "handlers called");
  },
};

