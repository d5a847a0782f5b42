import { byteLength, copied, parseClose, parseData, sizeOf } from "./arguments.js";
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
  /** Calls into wasm. What is thrown there, and nowhere else, is a trap. */
  const ask = (name, ...operands) => {
    try {
      return wasm?.[name](core, ...operands);
    } catch (error) {
      trapped(error);
    }
  };
  const stat = (number) => ask("stat", number);
  const stats = () => (wasm ? readStats(stat) : lastStats);
  const isReady = () => readyState === 1 && stat(code.STAT_IS_READY) === 1;

  /** Tells the core what happened, and does what follows. */
  const tell = (...happening) => {
    isAsked = false;
    now = performance.now();
    // The events of some environments have a time on another scale, such as that of the wall clock.
    if (heardAt) ask("handle", Math.min(heardAt, now), code.INPUT_HEARD, link.attempt);
    heardAt = 0;
    if (ask("handle", now, ...happening) & code.STATUS_ACTIONS) act();
  };

  const link = createLink(WebSocket, sources, tell, (event) => {
    const { data } = event;
    const answer = words?.read(data);
    if (answer) return tell(code.INPUT_PONG, link.attempt, ...answer);
    // An event knows when it was made, which is quicker read than the clock. One of another maker may not know.
    if (isWatched) heardAt = event.timeStamp >= now ? event.timeStamp : performance.now();
    if (isAsked) tell(code.INPUT_HEARD, link.attempt);
    counts.messagesIn += 1;
    counts.bytesIn += sizeOf(data);
    pass(target, event, data);
  });
  if (link.asks) knobs.push([code.KNOB_RENEW_CREDENTIALS, 1]);

  /** Does what the core asks for, one thing after the other, whatever else is asked for meanwhile. */
  function act() {
    if (isActing) return;
    isActing = true;
    let action;
    while ((action = ask("poll"))) {
      const operands = [0, 1, 2, 3, 4, 5].map((index) => ask("operand", index));
      try {
        perform(action, ...operands);
      } catch (error) {
        // The platform does not do what it has to. Whatever was handed to it may be lost.
        link.fail(error, code.INPUT_CLOSED, -1006, Infinity);
      }
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
    else if (action === code.ACTION_MEASURE) ask("handle", now, code.INPUT_BUFFERED, a, link.measure());
    else if (action === code.ACTION_CLOSE) link.socket.close(...closing.args);
    else if (action === code.ACTION_ABANDON) link.abandon();
    else if (action === code.ACTION_OPENED) opened();
    else if (action === code.ACTION_LATENCY) tellOf("latency", { roundTrip: a });
    else if (action === code.ACTION_DROPPED) dropped(a, b, c, d, e, f);
    else if (action === code.ACTION_DISCARDED) discarded(outbox.take(a), DISCARDED[b]);
    else if (action === code.ACTION_ALARM) setAlarm(a);
    else if (action === code.ACTION_ENDED) {
      mayBeLost(b, c);
      end(CAUSES[a]);
    }
  }

  function transmit({ data, bytes }) {
    link.socket.send(data);
    counts.messagesOut += 1;
    counts.bytesOut += bytes;
    return "sent";
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
    closing = undefined;
    lost ??= { at: now, attempts: 0 };
    lost.attempts += 1;
    lost.cause = drop.cause;
    mayBeLost(bytes, messages);
    // What the application itself has asked for is no matter of policy. What the page's life has ended is: a library that keeps a
    // session has to hear of it.
    if (cause === code.CAUSE_REQUESTED || isRetried(drop, !!byDefault)) return tellOf("reconnecting", drop);
    tell(code.INPUT_CLOSE);
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

  /** The connection is over, for a cause that the core has found, or since the application has closed it or is against a retry. */
  function end(cause = lost?.cause) {
    // The browser has an error here that says nothing.
    if (closing?.wasConnecting) return finish(NOTHING_TOLD, true);
    const { told } = link;
    finish(told, !closing && told.isError, { message: told.reason || `No connection: ${cause}.` });
  }

  function fail(how, error) {
    const message = `Everwire's wasm module ${how} (${error?.message ?? error}).`;
    finish({ ...NOTHING_TOLD, reason: message }, true, { message, error });
  }

  function finish(told, isError, details) {
    leaveCore();
    link.abandon();
    readyState = 2;
    // An address may be refused, or the module, before the constructor has returned and anybody listens.
    queueMicrotask(() => {
      readyState = 3;
      refuseWaiting();
      for (const message of outbox.drain()) discarded(message, "closed");
      if (isError) tellOf("error", details);
      // What a listener of `error` has put off comes before `close`, as in a browser.
      queueMicrotask(() => dispatch(target, closeEvent(told)));
    });
  }

  function leaveCore() {
    clearTimeout(timer);
    page?.abort();
    lastStats = stats();
    if (giveBack(strand)) ask("release");
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
      trapped(error);
      return fail("cannot be started", error);
    }
    page = new AbortController();
    watchPage(tell, page.signal);
    tell(code.INPUT_OPEN, performance.now() - dialledAt);
    for (const [key, { bytes, timeToLive, number }] of outbox.entries()) ask("send", now, bytes, false, key, timeToLive, number);
    act();
  }

  /** The time, or that of the latest happening while a timer sees to it that it is not long ago. */
  function clock(timeToLive) {
    const isGood = alarmAt - now <= CLOCK_GOOD_FOR && isNaN(timeToLive) && limits.timeToLive === Infinity;
    return isGood ? now : (now = performance.now());
  }

  /** Has a message wait in the outbox, or says that there is no room. */
  function queue(message) {
    const { bytes, timeToLive, name } = message;
    const hasRoom = outbox.size < limits.maxMessages && outbox.bytes + bytes <= limits.maxBytes;
    const outcome = wasm ? ask("send", clock(timeToLive), bytes, isOpening, outbox.nextKey, timeToLive, outbox.numberOf(name)) : hasRoom && code.SENT_QUEUED;
    const isQueued = outcome & code.SENT_QUEUED;
    const isAccepted = isQueued || outcome & code.SENT_ORDERED;
    if (isAccepted) outbox.put(message);
    if (outcome & code.STATUS_ACTIONS) act();
    return isQueued ? "queued" : isAccepted ? "sent" : "refused";
  }

  start();

  return {
    // `url` and `binaryType`.
    __proto__: link,

    get readyState() {
      return readyState;
    },
    get protocol() {
      return protocol;
    },
    get extensions() {
      return extensions;
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
      // What can throw does so before the core has heard of the message.
      data = parseData(data);
      const timeToLive = +options?.timeToLive;
      const name = options?.key?.toString();
      // What may go at once is not copied, and the bytes of a text are not counted.
      const bytes = sizeOf(data);
      const outcome = readyState === 1 ? ask("send", clock(timeToLive), bytes, isOpening) : 0;
      try {
        if (outcome & code.SENT_TRANSMITTED) return transmit({ data, bytes });
      } finally {
        if (outcome & code.STATUS_ACTIONS) act();
      }
      data = copied(data);
      return readyState > 1 ? "refused" : queue({ data, bytes: byteLength(data), timeToLive, name });
    },

    close(...given) {
      const args = parseClose(...given);
      if (readyState > 1) return;
      closing = { args, wasConnecting: !readyState };
      readyState = 2;
      if (wasm) tell(code.INPUT_CLOSE);
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
