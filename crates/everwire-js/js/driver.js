import { byteLength, copied, isProvider, parseAddress, parseClose, parseData, parseProtocols, sizeOf } from "./arguments.js";
import * as code from "../build/codes.js";
import { pass } from "./emitter.js";
import { closeEvent, dispatch, event, exception, report } from "./events.js";
import { NO_CLOSE_FRAME } from "./link.js";
import { createMachine, statsOf } from "./machine.js";
import { trapped } from "./module.js";
import { createOutbox } from "./outbox.js";

/** What an EverSocket, the `target`, is over a core. The variables are those of the socket. */
export function drive(target, WebSocket, sources, { options, pings, hasHeartbeat, shouldReconnect }) {
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

  /** The exports of the wasm module, and the number of the core there. */
  let wasm, core;

  const outbox = createOutbox();
  /** The promises of `ready`. */
  const waiting = [];
  /** What the core before the present one knew of the round trips, and what all before it have counted: see `STATS`. */
  let past = code.STATS.map((_, place) => (place > code.STAT_LOST && place < code.STAT_OPENED ? NaN : 0));

  const notify = (type, fields) => dispatch(target, event(type, fields));
  const own = {
    [code.ACTION_NONE](isReady) {
      if (waiting.length && readyState === 1 && isReady) for (const [resolve] of waiting.splice(0)) resolve();
    },
    [code.ACTION_TRANSMIT](id) {
      const { data, bytes } = outbox.take(id);
      transmit(data, bytes);
    },
    [code.ACTION_CLOSE]() {
      link.socket.close(...closing.args);
    },
    [code.ACTION_DECIDE](cause, byDefault, attempt, at) {
      readyState = 0;
      machine.handle(code.INPUT_DECIDED, decide(cause, machine.dropOf(cause, attempt, at), !!byDefault));
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
      if (before) notify("reconnected", { attempts: before.attempts, downtime: machine.now - before.at });
    },
    [code.ACTION_LATENCY](roundTrip) {
      notify("latency", { roundTrip });
    },
    [code.ACTION_DROPPED](cause, attempt, at, messages, bytes) {
      const drop = machine.dropOf(cause, attempt, at);
      readyState = 0;
      closing = undefined;
      lost ??= { at: machine.now, attempts: 0 };
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
  };

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
    past = readStats();
    machine.release();
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

  function rejectWaiting() {
    for (const [, reject] of waiting.splice(0)) reject(exception("The socket is closed: call reconnect() first.", "InvalidStateError"));
  }

  /** Counts are those of the core on top of those before it. */
  function readStats() {
    machine.call("stats");
    const { operands } = machine;
    return past.map((value, place) => (operands ? operands[place] + (place < code.STAT_OPENED ? 0 : value) : value));
  }

  function start() {
    readyState = 0;
    closing = undefined;
    machine.start(() => !readyState);
  }

  /** Address and subprotocols, which are parsed already where no function gives them. */
  function provide(attempt) {
    const connected = ([address, protocols]) => {
      const offered = parseProtocols(protocols);
      return [parseAddress(address), ...(offered.length ? [offered] : [])];
    };
    if (!hasProvider) return connected(sources);
    return Promise.all(sources.map(async (source) => (isProvider(source) ? source(attempt) : source))).then(connected);
  }

  function receive(event) {
    const { data } = event;
    const answer = pings?.read(data);
    if (answer) return machine.handle(code.INPUT_PONG, link.attempt, ...answer);
    let at = machine.now;
    // Without a heartbeat no time counts, and to read one costs as much as the core. An event knows when it was made, and is read
    // faster than the clock. One of another maker may not know.
    if (hasHeartbeat && !((at = event.timeStamp) >= machine.now)) at = machine.now = performance.now();
    const size = sizeOf(data);
    let status;
    // Not by `call`: an engine can inline neither a name that varies nor spread arguments, which would cost a third of a message's way.
    try {
      status = wasm.receive(core, at, link.attempt, size);
    } catch (error) {
      return trapped(error);
    }
    if (status & code.STATUS_ACCEPTED) pass(target, event, data, size);
    if (status & code.STATUS_ACTIONS) machine.act();
  }

  /** Whether data of this size may be handed to the socket at once: the core's status. */
  function sendNow(size) {
    try {
      return wasm.send_now(core, size, isOpening);
    } catch (error) {
      trapped(error);
    }
  }

  const hasProvider = sources.some(isProvider);
  options[code.OPTION_RENEWS_CREDENTIALS] = hasProvider;
  const machine = createMachine(
    WebSocket,
    provide,
    options,
    pings?.ping,
    own,
    receive,
    (...given) => {
      [wasm, core] = given;
      for (const message of outbox.drain()) {
        if (!enqueue(message)) discarded(message, "evicted");
      }
    },
    fail,
  );
  const { link } = machine;
  if (!isProvider(sources[0])) link.url = sources[0];

  /** Hands a message that has to wait to the core. Returns its number, negative where it is about to be handed over, 0 where it is refused. */
  function enqueue(message) {
    machine.now = performance.now();
    const id = machine.call("enqueue", machine.now, message.bytes, message.timeToLive, outbox.idOf(message.key));
    if (id) outbox.put(message, Math.abs(id));
    return id;
  }

  /** Has a message wait in the outbox, where there is room. */
  function queue(message) {
    if (machine.operands) {
      const id = enqueue(message);
      machine.act();
      return id > 0 ? "queued" : id < 0 ? "sent" : "refused";
    }
    const hasRoom = outbox.size < options[code.OPTION_MAX_MESSAGES] && outbox.bytes + message.bytes <= options[code.OPTION_MAX_BYTES];
    if (hasRoom) outbox.put(message);
    return hasRoom ? "queued" : "refused";
  }

  start();

  return {
    // `url`.
    __proto__: link,

    get binaryType() {
      return link.binaryType;
    },
    set binaryType(type) {
      // A template refuses a symbol, as the browser does.
      type = `${type}`;
      if (type !== "blob" && type !== "arraybuffer") return;
      link.binaryType = type;
      if (link.socket) link.socket.binaryType = type;
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
    get bufferedAmount() {
      return outbox.bytes + (link.socket?.bufferedAmount ?? 0);
    },
    get stats() {
      return { ...statsOf(readStats()), queuedMessages: outbox.size, queuedBytes: outbox.bytes };
    },
    get serverTime() {
      readStats();
      const offset = machine.operands?.[code.STAT_CLOCK_OFFSET];
      return offset ? performance.now() + offset : undefined;
    },

    send(data, options) {
      // What can throw does so before the core accepts the message.
      data = parseData(data);
      const timeToLive = +options?.timeToLive;
      const key = options?.key?.toString();
      // What may go at once is not copied, and the bytes of a text are not counted.
      const bytes = sizeOf(data);
      const status = readyState === 1 && sendNow(bytes);
      try {
        if (status & code.STATUS_ACCEPTED) {
          transmit(data, bytes);
          return "sent";
        }
      } finally {
        if (status & code.STATUS_ACTIONS) machine.act();
      }
      data = copied(data);
      return readyState > 1 ? "refused" : queue({ data, bytes: byteLength(data), timeToLive, key });
    },

    close(...given) {
      const args = parseClose(...given);
      if (readyState > 1) return;
      closing = { args, wasConnecting: !readyState };
      readyState = 2;
      if (machine.operands) machine.handle(code.INPUT_CLOSE);
      else end();
    },

    reconnect() {
      if (machine.operands) machine.handle(code.INPUT_RECONNECT);
      else if (readyState === 3) start();
    },

    ready() {
      return new Promise((...waiter) => {
        waiting.push(waiter);
        if (readyState > 1) rejectWaiting();
        else machine.act();
      });
    },
  };
}
