import { byteLength, copied, parseClose, parseData, sizeOf } from "./arguments.js";
import * as code from "../build/codes.js";
import { pass, report } from "./emitter.js";
import { closeEvent, dispatch, event, exception } from "./events.js";
import { createLink, NO_CLOSE_FRAME } from "./link.js";
import { createCore, operandsOf, trapListeners, trapped, whenLoaded } from "./module.js";
import { createOutbox } from "./outbox.js";
import { watchPage } from "./page.js";

/** Browsers keep a timeout in a signed 32-bit number and fire at once above it. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * Drives a core for one socket, the `target`: turns its actions into calls of the browser's WebSocket and timers, their events into
 * inputs, and decides nothing. The variables are those of the socket.
 */
export function drive(target, WebSocket, sources, { options, pings, hasHeartbeat, shouldReconnect }) {
  /** The exports of the wasm module, while it has a core for this socket, and the number of that core. */
  let wasm, core;
  let isActing, page, timer;
  /** The time of the latest input. */
  let now = 0;
  /** When the last socket was dialled, which counts for the least time between two dials where another core takes over. */
  let dialledAt = -Infinity;

  let readyState = 0;
  /** The arguments of `close`, once it was called, and whether that was before the connection was open. */
  let closing;
  /** `open` is being dispatched: what is sent meanwhile overtakes what waits. */
  let isOpening = false;
  let wasOpen;
  /** Since when the connection is down, and how many attempts failed since. */
  let lost;
  let protocol = "";
  let extensions = "";

  const outbox = createOutbox();
  /** The promises of `ready`. */
  const waiting = [];
  /** What the core before the present one knew of the round trips, and what all before it have counted: see `STATS`. */
  let past = code.STATS.map((_, place) => (place > code.STAT_LOST && place < code.STAT_OPENED ? NaN : 0));

  const notify = (type, fields) => dispatch(target, event(type, fields));
  /** Calls into wasm. What is thrown there, and nowhere else, is a trap. */
  const call = (name, ...args) => {
    try {
      return wasm?.[name](core, ...args);
    } catch (error) {
      trapped(error);
    }
  };

  /** Hands an input to the core, and does what follows. */
  const handle = (input, ...operands) => {
    now = performance.now();
    if (wasm) operandsOf(wasm).set(operands);
    if (call("handle", now, input)) act();
  };

  const link = createLink(WebSocket, sources, handle, (event) => {
    const { data } = event;
    const answer = pings?.read(data);
    if (answer) return handle(code.INPUT_PONG, link.attempt, ...answer);
    if (!wasm) return;
    let at = now;
    // Without a heartbeat no time counts, and to read one costs as much as the core. An event knows when it was made, and is read
    // faster than the clock. One of another maker may not know.
    if (hasHeartbeat && !((at = event.timeStamp) >= now)) at = now = performance.now();
    const size = sizeOf(data);
    let status;
    // Not by `call`: an engine can inline neither a name that varies nor spread arguments, which would cost a third of a message's way.
    try {
      status = wasm.receive(core, at, link.attempt, size);
    } catch (error) {
      return trapped(error);
    }
    if (status & code.STATUS_ACCEPTED) pass(target, event, data, size);
    if (status & code.STATUS_ACTIONS) act();
  });
  options[code.OPTION_RENEWS_CREDENTIALS] = link.hasProvider;

  const actions = {
    [code.ACTION_DIAL](socket, failures) {
      dialledAt = now;
      link.dial(socket, failures);
    },
    [code.ACTION_TRANSMIT](id) {
      const { data, bytes } = outbox.take(id);
      transmit(data, bytes);
    },
    [code.ACTION_PING](number) {
      try {
        link.socket.send(pings.ping(number));
      } catch (error) {
        report(error);
      }
    },
    [code.ACTION_MEASURE](socket) {
      handle(code.INPUT_BUFFERED, socket, link.measure());
    },
    [code.ACTION_CLOSE]() {
      link.socket.close(...closing.args);
    },
    [code.ACTION_DETACH]: link.detach,
    [code.ACTION_DECIDE](cause, byDefault, attempt, at) {
      readyState = 0;
      handle(code.INPUT_DECIDED, decide(cause, dropOf(cause, attempt, at), !!byDefault));
    },
    [code.ACTION_OPENED]() {
      ({ protocol = "", extensions = "" } = link.socket);
      const before = wasOpen && lost;
      lost = undefined;
      wasOpen = true;
      readyState = 1;
      isOpening = true;
      notify("open");
      isOpening = false;
      if (before) notify("reconnected", { attempts: before.attempts, downtime: now - before.at });
    },
    [code.ACTION_LATENCY](roundTrip) {
      notify("latency", { roundTrip });
    },
    [code.ACTION_DROPPED](cause, attempt, at, messages, bytes) {
      const drop = dropOf(cause, attempt, at);
      readyState = 0;
      closing = undefined;
      lost ??= { at: now, attempts: 0 };
      lost.attempts += 1;
      notifyAtRisk(messages, bytes);
      notify("reconnecting", drop);
    },
    [code.ACTION_DISCARDED](id, reason) {
      discarded(outbox.take(id), code.DISCARDED[reason]);
    },
    [code.ACTION_ENDED](cause, messages, bytes) {
      notifyAtRisk(messages, bytes);
      end(code.CAUSES[cause]);
    },
    [code.ACTION_TIMER](at) {
      clearTimeout(timer);
      // Rounded up: a timer that fired just before its deadline would be set again for nothing.
      timer = setTimeout(() => handle(code.INPUT_WAKE, Date.now()), Math.min(Math.ceil(Math.max(at - now, 0)), LONGEST_TIMEOUT));
    },
  };

  /** Does what the core says, one thing after the other, whatever input is handed in meanwhile. */
  function act() {
    if (isActing) return;
    isActing = true;
    let action;
    while ((action = call("poll"))) {
      const operands = operandsOf(wasm);
      try {
        actions[action](operands[0], operands[1], operands[2], operands[3], operands[4]);
      } catch (error) {
        // The platform does not do what it has to. Whatever was handed to it may be lost. The core knows already of a socket that is gone.
        if (link.attempt) link.fail(error, code.INPUT_CLOSED, -1006, Infinity);
      }
    }
    isActing = false;
    if (waiting.length && readyState === 1 && operandsOf(wasm)[0]) for (const [resolve] of waiting.splice(0)) resolve();
  }

  function transmit(data, bytes) {
    try {
      link.socket.send(data);
    } catch (error) {
      // The core has counted it.
      past[code.STAT_MESSAGES_OUT] -= 1;
      past[code.STAT_BYTES_OUT] -= bytes;
      throw error;
    }
  }

  const dropOf = (cause, attempt, at) => {
    const { code: closeCode, reason, wasClean } = link.ending;
    const delay = at < 0 ? Infinity : Math.round(Math.max(at - now, 0));
    return { cause: code.CAUSES[cause], code: closeCode, reason, wasClean, attempt, delay };
  };

  /** Whether another attempt follows. No policy can make the platform accept an address that it refuses. */
  function decide(cause, drop, byDefault) {
    if (cause === code.CAUSE_REFUSED) return false;
    try {
      return !!(shouldReconnect(drop, byDefault) ?? byDefault);
    } catch (error) {
      report(error);
      return byDefault;
    }
  }

  function discarded({ data, bytes }, reason) {
    notify("drop", { reason, data, bytes, messages: 1 });
  }

  function notifyAtRisk(messages, bytes) {
    if (messages) notify("drop", { reason: "connection-lost", bytes, messages });
  }

  /** The connection is over. */
  function end(cause) {
    // The browser has an error here that says nothing.
    if (closing?.wasConnecting) return finish(NO_CLOSE_FRAME, true);
    const { ending } = link;
    finish(ending, !closing && ending.isError, { message: ending.reason || `No connection: ${cause}.` });
  }

  function fail(how, error) {
    const message = `Everwire's wasm module ${how} (${error?.message ?? error}).`;
    finish({ ...NO_CLOSE_FRAME, reason: message }, true, { message, error });
  }

  function finish(ending, isError, details) {
    release();
    link.detach();
    readyState = 2;
    // An address or the module may be refused before the constructor has returned and a listener was added.
    queueMicrotask(() => {
      readyState = 3;
      rejectWaiting();
      for (const message of outbox.drain()) discarded(message, "closed");
      if (isError) notify("error", details);
      // What a listener of `error` has put off comes before `close`, as in a browser.
      queueMicrotask(() => dispatch(target, closeEvent(ending)));
    });
  }

  function release() {
    clearTimeout(timer);
    page?.abort();
    past = readStats();
    trapListeners.delete(onTrap);
    call("release");
    wasm = undefined;
  }

  /** The module has trapped, and the core in it is lost. */
  function onTrap(error) {
    wasm = undefined;
    fail("has trapped", error);
  }

  function rejectWaiting() {
    for (const [, reject] of waiting.splice(0)) reject(exception("The socket is closed: call reconnect() first.", "InvalidStateError"));
  }

  /** Counts are those of the core on top of those before it. */
  function readStats() {
    call("stats");
    return past.map((value, place) => (wasm ? operandsOf(wasm)[place] + (place < code.STAT_OPENED ? 0 : value) : value));
  }

  function start() {
    readyState = 0;
    closing = undefined;
    whenLoaded(open, (error) => readyState || fail("cannot be loaded; give init() its address, or import everwire/inline", error));
  }

  function open() {
    if (readyState || wasm) return;
    try {
      [wasm, core] = createCore(options, onTrap);
    } catch (error) {
      trapped(error);
      return fail("cannot be started", error);
    }
    page = new AbortController();
    watchPage(handle, page.signal);
    for (const message of outbox.drain()) {
      if (!enqueue(message)) discarded(message, "evicted");
    }
    handle(code.INPUT_OPEN, performance.now() - dialledAt);
  }

  /** Hands a message that has to wait to the core. Returns its number, negative where it is about to be handed over, 0 where it is refused. */
  function enqueue(message) {
    now = performance.now();
    const id = call("enqueue", now, message.bytes, message.timeToLive, outbox.idOf(message.key));
    if (id) outbox.put(message, Math.abs(id));
    return id;
  }

  /** Has a message wait in the outbox, where there is room. */
  function queue(message) {
    if (wasm) {
      const id = enqueue(message);
      act();
      return id > 0 ? "queued" : id < 0 ? "sent" : "refused";
    }
    const hasRoom = outbox.size < options[code.OPTION_MAX_MESSAGES] && outbox.bytes + message.bytes <= options[code.OPTION_MAX_BYTES];
    if (hasRoom) outbox.put(message);
    return hasRoom ? "queued" : "refused";
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
      const values = readStats().map((value, place) => [code.STATS[place], value]);
      const known = (...range) => Object.fromEntries(values.slice(...range).filter(([, value]) => !isNaN(value)));
      const latency = known(0, code.STAT_OPENED);
      return { latency, ...known(code.STAT_OPENED), queuedMessages: outbox.size, queuedBytes: outbox.bytes };
    },
    get serverTime() {
      readStats();
      const offset = wasm && operandsOf(wasm)[code.STAT_CLOCK_OFFSET];
      return offset ? performance.now() + offset : undefined;
    },

    send(data, options) {
      // What can throw does so before the core accepts the message.
      data = parseData(data);
      const timeToLive = +options?.timeToLive;
      const key = options?.key?.toString();
      // What may go at once is not copied, and the bytes of a text are not counted.
      const bytes = sizeOf(data);
      let status = 0;
      try {
        if (readyState === 1) status = wasm.send_now(core, bytes, isOpening);
      } catch (error) {
        trapped(error);
      }
      try {
        if (status & code.STATUS_ACCEPTED) {
          transmit(data, bytes);
          return "sent";
        }
      } finally {
        if (status & code.STATUS_ACTIONS) act();
      }
      data = copied(data);
      return readyState > 1 ? "refused" : queue({ data, bytes: byteLength(data), timeToLive, key });
    },

    close(...given) {
      const args = parseClose(...given);
      if (readyState > 1) return;
      closing = { args, wasConnecting: !readyState };
      readyState = 2;
      if (wasm) handle(code.INPUT_CLOSE);
      else end();
    },

    reconnect() {
      if (wasm) handle(code.INPUT_RECONNECT);
      else if (readyState === 3) start();
    },

    ready() {
      return new Promise((...waiter) => {
        waiting.push(waiter);
        if (readyState > 1) rejectWaiting();
        else act();
      });
    },
  };
}
