import { byteLength, parseClose } from "./arguments.js";
import * as code from "./codes.js";
import { pass, report } from "./emitter.js";
import { closeEvent, dispatch, event, exception } from "./events.js";
import { createLink, NOTHING_TOLD } from "./link.js";
import { giveBack, takeCore, trapped, whenLoaded } from "./module.js";
import { createOutbox } from "./outbox.js";
import { watchPage } from "./page.js";
import { NO_STATS, readStats } from "./stats.js";

/** The names of causes and reasons, in the order of their numbers. */
const CAUSES = "closed connect-timeout heartbeat-timeout never-answered network-changed provider refused suspended requested".split(" ");
const DISCARDED = ["expired", "evicted", "replaced", "closed"];
/** Browsers keep a timeout in a signed 32-bit number and ring at once above it. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;
/**
 * For so long after it was read the clock may be taken for what it was when a message is sent, in ms: reading it takes Chromium
 * longer than all the rest that a message needs.
 */
const CLOCK_GOOD_FOR = 1_000;

/**
 * Obeys a core for one socket, the `target`: turns its actions into calls of the browser's WebSocket and timers, their events into
 * inputs, and decides nothing. The variables are those of the socket.
 */
export function drive(target, WebSocket, sources, { knobs, limits, words, isWatched, shouldReconnect }) {
  /** The exports of the wasm module, while it has a core for this socket, and the number of that core. */
  let wasm, core;
  let isActing, page, timer;
  /** When the timer rings. */
  let alarmAt = Infinity;
  /** When the last socket was dialled. A core hears of it that takes the place of one which is over, for the least time between two. */
  let dialledAt = -Infinity;
  /** The time of the latest happening. */
  let now = 0;
  /** When the latest message came that the core has not heard of, 0 for none. It asks for it only when it is to judge the link. */
  let heardAt = 0;
  /** A ping was sent and nothing was heard since, so that the core waits to hear. */
  let isAsked;

  let readyState = 0;
  /** The arguments of `close`, once it was called, and whether that was before the connection was open. */
  let closing;
  /** `open` is being dispatched: what is sent meanwhile goes ahead of what waits. */
  let isOpening;
  /** Since when the connection is down, and how many attempts failed since. */
  let lost;
  let protocol = "";
  let extensions = "";

  const outbox = createOutbox();
  /** Who waits for `ready`. */
  const waiting = [];
  const counts = { opened: 0, dropped: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  /** The link's statistics as they were when the last core was given back. */
  let lastStats = NO_STATS;

  const tellOf = (type, fields) => dispatch(target, event(type, fields));
  const stat = (number) => wasm.stat(core, number);
  const stats = () => (wasm ? readStats(stat) : lastStats);
  const isReady = () => readyState === 1 && stat(code.STAT_IS_READY) === 1;

  /** Tells the core what happened, and does what follows. */
  const tell = (input, a = 0, b = 0, c = 0) => {
    isAsked = false;
    now = performance.now();
    if (handle(input, a, b, c) & code.STATUS_ACTIONS) act();
  };

  const link = createLink(WebSocket, sources, tell, (event) => {
    const { data } = event;
    const answer = words?.read(data);
    if (answer) return tell(code.INPUT_PONG, link.attempt, ...answer);
    // An event knows when it was made, which is quicker read than the clock.
    if (isWatched) heardAt = event.timeStamp ?? performance.now();
    if (isAsked) tell(code.INPUT_HEARD, link.attempt);
    counts.messagesIn += 1;
    counts.bytesIn += sizeOf(data);
    pass(target, event, data);
  });
  if (link.asks) knobs.push([code.KNOB_RENEW_CREDENTIALS, 1]);

  function handle(input, a, b, c) {
    try {
      if (heardAt) {
        now = Math.max(now, heardAt);
        wasm.handle(core, heardAt, code.INPUT_HEARD, link.attempt, 0, 0);
        heardAt = 0;
      }
      return wasm.handle(core, now, input, a, b, c);
    } catch (error) {
      trapped(error);
    }
  }

  /** Does what the core asks for, one thing after the other, whatever else is asked for meanwhile. */
  function act() {
    if (isActing) return;
    isActing = true;
    try {
      let action;
      while ((action = wasm?.poll(core))) perform(action, ...[0, 1, 2, 3, 4, 5].map((index) => wasm.operand(core, index)));
    } catch (error) {
      trapped(error);
    }
    isActing = false;
    if (waiting.length && isReady()) for (const [resolve] of waiting.splice(0)) resolve();
  }

  function perform(action, a, b, c, d, e, f) {
    if (action === code.ACTION_DIAL) {
      dialledAt = now;
      link.dial(a, b);
    } else if (action === code.ACTION_TRANSMIT) transmit(outbox.take(a));
    else if (action === code.ACTION_PROBE) probe(a);
    else if (action === code.ACTION_MEASURE) handle(code.INPUT_BUFFERED, a, link.measure(), 0);
    else if (action === code.ACTION_CLOSE) link.socket.close(...closing.args);
    else if (action === code.ACTION_ABANDON) link.abandon();
    else if (action === code.ACTION_OPENED) opened();
    else if (action === code.ACTION_LATENCY) tellOf("latency", { roundTrip: a });
    else if (action === code.ACTION_DROPPED) dropped(a, b, c, d, e, f);
    else if (action === code.ACTION_DISCARDED) discarded(outbox.take(a), DISCARDED[b]);
    else if (action === code.ACTION_ALARM) setAlarm(a);
    else if (action === code.ACTION_ENDED) {
      mayBeLost(d, e);
      end();
    }
  }

  function transmit({ data, bytes }) {
    counts.messagesOut += 1;
    counts.bytesOut += bytes;
    link.socket.send(data);
  }

  function probe(number) {
    isAsked = true;
    try {
      link.socket.send(words.ask(number));
    } catch (error) {
      report(error);
    }
  }

  function opened() {
    ({ protocol = "", extensions = "" } = link.socket);
    const before = lost;
    lost = undefined;
    readyState = 1;
    counts.opened += 1;
    isOpening = true;
    tellOf("open");
    isOpening = false;
    // After a close nothing was lost, and the application itself has asked for another connection.
    if (before && counts.opened > 1) tellOf("reconnected", { attempts: before.attempts, downtime: now - before.at });
  }

  function dropped(cause, byDefault, bytes, messages, attempt, at) {
    const { code: closeCode, reason, wasClean } = link.told;
    const drop = { cause: CAUSES[cause], code: closeCode, reason, wasClean, attempt, delay: at < 0 ? Infinity : Math.round(Math.max(at - now, 0)) };
    readyState = 0;
    counts.dropped += 1;
    lost ??= { at: now, attempts: 0 };
    lost.attempts += 1;
    mayBeLost(bytes, messages);
    // What the application itself has asked for is no matter of policy. What the page's life has ended is: a library that keeps a
    // session has to hear of it.
    if (cause === code.CAUSE_REQUESTED || isRetried(drop, !!byDefault)) return tellOf("reconnecting", drop);
    tell(code.INPUT_CLOSE, 1000);
  }

  function isRetried(drop, byDefault) {
    try {
      return shouldReconnect?.(drop, byDefault) ?? byDefault;
    } catch (error) {
      report(error);
      return byDefault;
    }
  }

  function discarded({ data, bytes }, reason) {
    tellOf("drop", { reason, data, bytes, messages: 1 });
  }

  function mayBeLost(bytes, messages) {
    if (messages) tellOf("drop", { reason: "connection-lost", bytes, messages });
  }

  function setAlarm(at) {
    clearTimeout(timer);
    alarmAt = at;
    const ring = () => {
      alarmAt = Infinity;
      tell(code.INPUT_WAKE, Date.now());
    };
    // Rounded up: an alarm that rang just before its deadline would ring again for nothing.
    timer = setTimeout(ring, Math.min(Math.ceil(Math.max(at - now, 0)), LONGEST_TIMEOUT));
  }

  /** The connection is over. */
  function end() {
    if (!closing?.wasConnecting) return finish(link.told, !closing && link.told.isError);
    // Closed before it was open: the browser tells later, with an error.
    leaveCore();
    queueMicrotask(() => finish(NOTHING_TOLD, true));
  }

  function fail(how, error) {
    const message = `Everwire's wasm module ${how} (${error?.message ?? error}).`;
    finish({ ...NOTHING_TOLD, reason: message }, true, { message, error });
  }

  function finish(told, isError, details = told.reason ? { message: told.reason } : {}) {
    leaveCore();
    link.abandon();
    readyState = 3;
    refuseWaiting();
    for (const message of outbox.drain()) discarded(message, "closed");
    const close = () => dispatch(target, closeEvent(told));
    if (!isError) return close();
    tellOf("error", details);
    // What a listener of `error` has put off comes before `close`, as in a browser.
    queueMicrotask(close);
  }

  function leaveCore() {
    clearTimeout(timer);
    page?.abort();
    lastStats = stats();
    if (wasm) giveBack(strand, core);
    wasm = undefined;
  }

  /** The module has trapped, and the core in it is gone. */
  function strand(error) {
    wasm = undefined;
    fail("has trapped and was given up", error);
  }

  function refuseWaiting() {
    for (const [, reject] of waiting.splice(0)) reject(exception("The socket is closed: call reconnect() first.", "InvalidStateError"));
  }

  function start() {
    readyState = 0;
    closing = undefined;
    whenLoaded(open, (error) => readyState || fail("cannot be loaded; give init() its address, or import everwire/inline", error));
  }

  function open() {
    if (readyState || wasm) return;
    try {
      [wasm, core] = takeCore(strand, knobs);
    } catch (error) {
      // Not at once: a constructor returns before its socket fails, or nobody could listen.
      return queueMicrotask(() => readyState || fail("cannot be started", error));
    }
    page = new AbortController();
    watchPage(tell, page.signal);
    tell(code.INPUT_OPEN, performance.now() - dialledAt);
    for (const [key, { bytes, options }] of outbox.entries()) {
      wasm?.send(core, now, bytes, key, lifetime(options), outbox.numberOf(options?.key), false);
    }
    act();
  }

  /** The time, or that of the latest happening while a timer sees to it that it is not long ago. */
  function clock(timeToLive) {
    const isGood = alarmAt - now <= CLOCK_GOOD_FOR && timeToLive === 0 && limits.timeToLive === Infinity;
    return isGood ? now : (now = performance.now());
  }

  function keepUntilLoaded(data, options) {
    if (outbox.size >= limits.maxMessages || outbox.bytes + byteLength(data) > limits.maxBytes) return "refused";
    outbox.put(data, options);
    return "queued";
  }

  start();

  return {
    get url() {
      return link.url;
    },
    get readyState() {
      return readyState;
    },
    get protocol() {
      return protocol;
    },
    get extensions() {
      return extensions;
    },
    get binaryType() {
      return link.binaryType;
    },
    set binaryType(type) {
      link.setBinaryType(type);
    },
    get bufferedAmount() {
      return outbox.bytes + (link.socket?.bufferedAmount ?? 0);
    },
    get stats() {
      return { latency: stats(), ...counts, queuedMessages: outbox.size, queuedBytes: outbox.bytes };
    },
    get serverTime() {
      const offset = wasm && stat(code.STAT_CLOCK_OFFSET);
      return offset ? performance.now() + offset : undefined;
    },

    send(data, options) {
      // A template refuses a symbol, as the browser does, in every state.
      if (typeof data !== "string" && !isBinary(data)) data = `${data}`;
      if (readyState > 1) return "refused";
      if (!wasm) return keepUntilLoaded(data, options);
      // What has to wait counts against the outbox's limit of bytes; what does not is not worth counting a text's bytes.
      const bytes = readyState ? sizeOf(data) : byteLength(data);
      const timeToLive = lifetime(options);
      const latest = outbox.numberOf(options?.key);
      let outcome;
      try {
        outcome = wasm.send(core, clock(timeToLive), bytes, outbox.nextKey, timeToLive, latest, isOpening);
      } catch (error) {
        trapped(error);
        return "refused";
      }
      const became = outcome & code.SENT_REFUSED;
      if (became === code.SENT_TRANSMITTED) transmit({ data, bytes });
      else if (became !== code.SENT_REFUSED) outbox.put(data, options);
      if (outcome & code.STATUS_ACTIONS) act();
      return became === code.SENT_QUEUED ? "queued" : became === code.SENT_REFUSED ? "refused" : "sent";
    },

    close(...given) {
      const args = parseClose(...given);
      if (readyState > 1) return;
      closing = { args, wasConnecting: !readyState };
      readyState = 2;
      if (wasm) tell(code.INPUT_CLOSE, args[0] ?? 1000);
      else end();
    },

    reconnect() {
      if (wasm) tell(code.INPUT_RECONNECT);
      else if (readyState === 3) start();
    },

    ready() {
      return new Promise((...waiter) => {
        waiting.push(waiter);
        if (readyState > 1) refuseWaiting();
        else act();
      });
    },
  };
}

/** In bytes; of a text in UTF-16 units, since its bytes are only known by copying it. */
const sizeOf = (data) => (typeof data === "string" ? data.length : (data.byteLength ?? data.size));

/** 0 where the message does not say. */
const lifetime = (options) => (options?.timeToLive === undefined ? 0 : Math.max(options.timeToLive, 1));

const isBinary = (data) => typeof data === "object" && data !== null && ("byteLength" in data || data instanceof Blob);
