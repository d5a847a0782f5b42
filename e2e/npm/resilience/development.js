// What a build for development refuses. The browsers' production build has none of these checks.
const wrong = {
  "a number below 0": [{ connectTimeout: -1 }, "connectTimeout has to be a number from 0 on, and is -1."],
  "a text for a number": [{ connectTimeout: "5" }, 'connectTimeout has to be a number from 0 on, and is "5".'],
  "NaN": [{ closeTimeout: NaN }, "closeTimeout has to be a number from 0 on, and is NaN."],
  "a number for backoff": [{ backoff: 1_000 }, "backoff has to be an object such as { floor: 1000 }, and is 1000."],
  "null for backoff": [{ backoff: null }, "backoff has to be an object such as { floor: 500 }, and is null."],
  "an option that backoff does not have": [{ backoff: { minimum: 5 } }, /^There is no option backoff\.minimum: the names are floor, first, /],
  "a wrong number in backoff": [{ backoff: { floor: -1 } }, "backoff.floor has to be a number from 0 on, and is -1."],
  "a floor above the ceiling": [{ backoff: { floor: 10, max: 5 } }, "backoff.floor (10) must not be above backoff.max (5): give both."],
  "a ceiling below the floor by default": [{ backoff: { max: 300 } }, "backoff.floor (500) must not be above backoff.max (300): give both."],
  "a first delay above the ceiling": [{ backoff: { floor: 1, first: 9, max: 5 } }, "backoff.first (9) must not be above backoff.max (5)."],
  "a text for outbox": [{ outbox: "drop-oldest" }, 'outbox has to be an object such as { maxMessages: 4096 }, and is "drop-oldest".'],
  "an option that outbox does not have": [{ outbox: { max: 5 } }, /^There is no option outbox\.max: the names are maxMessages, /],
  "another policy for a full outbox": [{ outbox: { whenFull: "explode" } }, 'outbox.whenFull has to be "refuse" or "drop-oldest".'],
  "a time with a unit": [{ outbox: { timeToLive: "5s" } }, 'outbox.timeToLive has to be a number from 0 on, and is "5s".'],
  "an option that watermarks do not have": [{ watermarks: { top: 1 } }, "There is no option watermarks.top: the names are high, low."],
  "a low mark above the high one": [{ watermarks: { high: 1, low: 2 } }, "watermarks.low (2) must not be above watermarks.high (1)."],
  "a number for heartbeat": [{ heartbeat: 5_000 }, "heartbeat has to be true, false or an object such as { afterSilence: 5000 }, and is 5000."],
  "an option that heartbeat does not have": [{ heartbeat: { every: 1 } }, /^There is no option heartbeat\.every: the names are afterSilence, /],
  "a wrong number for silence": [{ heartbeat: { silence: "1" } }, 'heartbeat.silence has to be a number from 0 on, and is "1".'],
  "pings beside silence": [{ heartbeat: { silence: 1, afterSilence: 1 } }, "heartbeat.silence sends no pings: leave the other options of heartbeat out."],
  "a text as ping": [{ heartbeat: { ping: "ping" } }, 'heartbeat.ping has to be a function such as () => "ping", and is "ping".'],
  "an option of backoff at the top": [{ maxRetries: 3 }, "There is no option maxRetries: write backoff: { maxRetries: 3 }."],
  "an option of outbox at the top": [{ timeToLive: 9 }, "There is no option timeToLive: write outbox: { timeToLive: 9 }."],
  "the name that another library has": [{ maxReconnectionDelay: 9 }, "There is no option maxReconnectionDelay: write backoff: { max }."],
  "a handler among the options": [{ onmessage: () => {} }, "There is no option onmessage: write socket.onmessage = …."],
  "a name that is misspelt": [{ hartbeat: true }, "There is no option hartbeat: write heartbeat."],
  "a name in other letters": [{ websocket: WebSocket }, "There is no option websocket: write WebSocket."],
  "false for shouldReconnect": [{ shouldReconnect: false }, "shouldReconnect has to be a function such as () => false, and is false."],
  "a text for debug": [{ debug: "everwire:*" }, 'debug has to be true or false, and is "everwire:*".'],
  "a text for reconnect": [{ reconnect: "false" }, 'reconnect has to be true or false, and is "false".'],
  "a controller as signal": [{ signal: new AbortController() }, "signal has to be an AbortSignal: pass controller.signal."],
  "a socket as class": [{ WebSocket: {} }, "The option WebSocket has to be a class, and is [object Object]."],
};

/** That a call is refused with this sentence, or one like it. */
function refused(t, sentence, call, name = "TypeError") {
  const { message } = t.throws(name, call);
  t.ok(sentence instanceof RegExp ? sentence.test(message) : message === sentence, `${sentence} in "${message}"`);
}

export default {
  ...Object.fromEntries(
    Object.entries(wrong).map(([name, [options, sentence]]) => [
      `${name} is refused with a sentence that says what to write`,
      (t) => {
        refused(t, sentence, () => t.ever("/echo", options));
        refused(t, sentence, () => t.Socket.with(options));
      },
    ]),
  ),
  "options that are no object are refused": (t) =>
    refused(t, "The options have to be an object such as { heartbeat: true }, and are 5000.", () => new t.Socket(t.at("/echo"), [], 5_000)),
  "options in the place of the subprotocols are refused": (t) =>
    refused(t, "The options are the third argument: new EverSocket(url, [], options).", () => new t.Socket(t.at("/echo"), { heartbeat: true }), "SyntaxError"),
  "null for the subprotocols is refused where options follow, which the browser's class would not have": (t) => {
    refused(t, /^null is the subprotocol "null"/, () => new t.Socket(t.at("/echo"), null, { heartbeat: true }));
    t.dial(t.at("/echo"), null);
  },
  "a promise as address is refused": (t) =>
    refused(t, /^The address is a promise: pass the function/, () => new t.Socket(Promise.resolve(t.at("/echo")))),
  "a function as address is refused where nothing is dialled again": (t) => {
    refused(t, /^reconnect: false takes no function/, () => new t.Socket(() => t.at("/echo"), [], { reconnect: false }));
    refused(t, /^reconnect: false takes no function/, () => new t.Socket(t.at("/echo"), () => "chat", { reconnect: false }));
  },
  "what a message asks for is checked": (t) => {
    const socket = t.ever();
    refused(t, 'timeToLive has to be a number from 0 on, and is "5s".', () => socket.send("x", { timeToLive: "5s" }));
    refused(t, "timeToLive has to be a number from 0 on, and is null.", () => socket.json().send("x", { timeToLive: null }));
    refused(t, "There is no option ttl: write timeToLive.", () => socket.send("x", { ttl: 5 }));
    refused(t, "There is no option timetolive: write timeToLive.", () => socket.send("x", { timetolive: 5 }));
    refused(t, "key has to be a string, and is [object Object].", () => socket.send("x", { key: {} }));
    t.equal(socket.stats.queuedMessages, 0, "messages that wait");
  },
  "options of json() are checked": (t) => {
    const socket = t.ever();
    refused(t, 'maxUnread has to be a number from 0 on, and is "5".', () => socket.json({ maxUnread: "5" }));
    refused(t, "There is no option max of json(): the name is maxUnread.", () => socket.json({ max: 5 }));
    refused(t, "The options of json() have to be an object such as { maxUnread: 100 }, and are 5.", () => socket.json(5));
  },
  "debug logs each transition in words, and no query": async (t) => {
    const printed = t.printed("debug");
    const socket = t.ever("/echo", { debug: true }, { token: "secret" });
    await t.next(socket, "open");
    const back = t.next(socket, "reconnected");
    await t.server("close", { code: 4000, reason: "bye" });
    await back;
    socket.close(1000, "done");
    await t.next(socket, "close");
    const address = socket.url.split("?")[0];
    t.equal(
      printed.map(([text]) => text.replace(/\d+ ms/g, "N ms")),
      [
        `connecting to ${address}`,
        "connected",
        'not connected: closed with 4000 "bye"; attempt 1 in N ms',
        `connecting to ${address}`,
        "connected",
        "connected again after N ms, by attempt 1",
        'closed with 1000 "done", cleanly',
      ].map((text) => `[everwire] ${text}`),
      "texts",
    );
  },
  "debug says what was dropped, how long a round trip took, and why a socket failed": async (t) => {
    const printed = t.printed("debug");
    const heartbeat = { afterSilence: 20, minDeadline: 4_000, maxDeadline: 8_000, sampleEvery: 30 };
    const socket = t.ever("/echo", { debug: true, heartbeat });
    await t.next(socket, "latency");
    const dropped = t.next(socket, "reconnecting");
    await t.server("down");
    await dropped;
    socket.send("twelve bytes");
    socket.close();
    await t.next(socket, "close");
    const texts = printed.map(([text]) => text.replace("[everwire] ", ""));
    t.ok(texts.some((text) => /^round trip of \d+\.\d ms$/.test(text)), `a round trip among ${texts}`);
    t.equal(texts.slice(-3), ["1 message of 12 bytes dropped: closed", "failed", "closed with 1006, not cleanly"], "texts");
  },
  "what is right, left out or meant for another class is accepted": async (t) => {
    const options = {
      backoff: { floor: 5, first: 20, max: 40, maxRetries: undefined },
      heartbeat: { ping: () => "ping", pong: (data) => data === "ping" },
      outbox: undefined,
      watermarks: { high: 1_000 },
      shouldReconnect: () => true,
      signal: new AbortController().signal,
      reconnect: true,
      maxPayload: 1,
      perMessageDeflate: false,
      handshakeTimeout: 1,
    };
    const socket = t.dial(t.at("/echo"), [], options);
    await t.next(socket, "open");
    t.equal([socket.send("a", { compress: true, binary: false }), socket.send("b", () => {}), socket.send("c", 1)], ["sent", "sent", "sent"], "outcomes");
    new t.Socket(t.at("/echo"), undefined, null).close();
  },
};
