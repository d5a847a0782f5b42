import { byteLength, parseClose } from "./arguments.js";
import * as code from "./codes.js";
import { Emitter, report } from "./emitter.js";
import { closeEvent, dispatch, event, exception } from "./events.js";
import { Link, NOTHING_TOLD } from "./link.js";
import { giveBack, takeCore, trapped, whenLoaded } from "./module.js";
import { Outbox } from "./outbox.js";
import { watchPage } from "./page.js";
import { NO_STATS, readStats } from "./stats.js";

/** The names of causes and reasons, in the order of their numbers. */
const CAUSES = [
  "closed",
  "connect-timeout",
  "heartbeat-timeout",
  "never-answered",
  "network-changed",
  "provider",
  "refused",
  "suspended",
  "requested",
];
const DISCARDED = ["expired", "evicted", "replaced", "closed"];
/** Browsers keep a timeout in a signed 32-bit number and ring at once above it. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;
/**
 * For so long after it was read the clock may be taken for what it was when a message is sent, in ms: reading it takes Chromium
 * longer than all the rest that a message needs.
 */
const CLOCK_GOOD_FOR = 1_000;

/**
 * Obeys the core: turns its actions into calls of the browser's WebSocket and timers, their events into inputs, and decides
 * nothing.
 */
export class Driver {
  #target;
  #options;
  #link;
  #outbox = new Outbox();

  /** The exports of the wasm module, while it has a core for this driver. */
  #wasm;
  /** The number of that core. */
  #core;
  #isActing = false;
  #page;
  #timer;
  /** When the timer rings. */
  #alarmAt = Infinity;
  /** The time of the latest happening. */
  #now = 0;
  /** When the latest message came that the core has not heard of, 0 for none. It asks for it only when it is to judge the link. */
  #heardAt = 0;

  /** The arguments of `close`, once it was called, and whether that was before the connection was open. */
  #closing;
  /** The drop that the application's own policy found final. */
  #final;
  /** `open` is being dispatched: what is sent meanwhile goes ahead of what waits. */
  #isOpening = false;
  /** Since when the connection is down, and how many attempts failed since. */
  #lost;
  /** Who waits for `ready`. */
  #waiting = [];
  #counts = { opened: 0, dropped: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  /** The link's statistics as they were when the last core was given back. */
  #lastStats = NO_STATS;

  readyState = 0;
  protocol = "";
  extensions = "";

  constructor(target, WebSocket, address, protocols, options) {
    this.#target = target;
    this.#options = options;
    const tell = (...input) => this.#tell(...input);
    this.#link = new Link(WebSocket, address, protocols, tell, (event) => this.#receive(event));
    this.#start();
  }

  get url() {
    return this.#link.url;
  }

  get binaryType() {
    return this.#link.binaryType;
  }

  set binaryType(type) {
    this.#link.binaryType = type;
  }

  get bufferedAmount() {
    return this.#outbox.bytes + (this.#link.socket?.bufferedAmount ?? 0);
  }

  get stats() {
    const { size: queuedMessages, bytes: queuedBytes } = this.#outbox;
    return { latency: this.#readStats(), ...this.#counts, queuedMessages, queuedBytes };
  }

  get serverTime() {
    const offset = this.#wasm?.stat(this.#core, code.STAT_CLOCK_OFFSET) ?? NaN;
    return Number.isNaN(offset) ? undefined : performance.now() + offset;
  }

  send(data, options) {
    // A template refuses a symbol, as the browser does, in every state.
    if (typeof data !== "string" && !isBinary(data)) data = `${data}`;
    if (this.readyState > 1) return "refused";
    const wasm = this.#wasm;
    const outbox = this.#outbox;
    if (!wasm) return this.#keepUntilLoaded(data, options);
    const size = sizeOf(data);
    let timeToLive = 0;
    let latest = 0;
    if (options) {
      timeToLive = lifetime(options);
      latest = outbox.numberOf(options.key);
    }
    let outcome;
    try {
      outcome = wasm.send(this.#core, this.#clock(timeToLive), size, outbox.nextKey, timeToLive, latest, this.#isOpening);
    } catch (error) {
      trapped(error);
      return "refused";
    }
    const became = outcome & code.SENT_REFUSED;
    if (became === code.SENT_TRANSMITTED) this.#transmit(data, size);
    else if (became !== code.SENT_REFUSED) outbox.put(data, options);
    if (outcome & code.STATUS_ACTIONS) this.#act();
    return became === code.SENT_QUEUED ? "queued" : became === code.SENT_REFUSED ? "refused" : "sent";
  }

  close(...given) {
    const args = parseClose(...given);
    if (this.readyState > 1) return;
    this.#closing = { args, wasConnecting: this.readyState === 0 };
    this.readyState = 2;
    if (this.#wasm) this.#tell(code.INPUT_CLOSE, args[0] ?? 1000);
    else this.#end();
  }

  reconnect() {
    if (this.#wasm) this.#tell(code.INPUT_RECONNECT);
    else if (this.readyState === 3) this.#start();
  }

  ready() {
    if (this.#isReady()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.readyState > 1) this.#refuseWaiting();
    });
  }

  /** The module has trapped, and the core in it is gone. */
  strand(error) {
    this.#wasm = undefined;
    this.#fail("has trapped and was given up", error);
  }

  #start() {
    this.readyState = 0;
    this.#closing = this.#final = undefined;
    whenLoaded(
      () => this.#open(),
      (error) => this.readyState === 0 && this.#fail("cannot be loaded; give init() its address, or import everwire/inline", error),
    );
  }

  #open() {
    if (this.readyState || this.#wasm) return;
    try {
      ({ wasm: this.#wasm, core: this.#core } = takeCore(this, this.#options.knobs));
    } catch (error) {
      return this.#fail("cannot be started", error);
    }
    this.#page = new AbortController();
    watchPage((input) => this.#tell(input), this.#page.signal);
    this.#tell(code.INPUT_OPEN);
    for (const [key, { bytes, options }] of this.#outbox.entries()) {
      this.#wasm?.send(this.#core, this.#now, bytes, key, lifetime(options), this.#outbox.numberOf(options?.key), false);
    }
    this.#act();
  }

  #keepUntilLoaded(data, options) {
    const { maxMessages, maxBytes } = this.#options.limits;
    if (this.#outbox.size >= maxMessages || this.#outbox.bytes + byteLength(data) > maxBytes) return "refused";
    this.#outbox.put(data, options);
    return "queued";
  }

  /** The time, or that of the latest happening while a timer sees to it that it is not long ago. */
  #clock(timeToLive) {
    const isGood = this.#alarmAt - this.#now <= CLOCK_GOOD_FOR && timeToLive === 0 && this.#options.limits.timeToLive === Infinity;
    return isGood ? this.#now : (this.#now = performance.now());
  }

  /** Tells the core what happened, and does what follows. */
  #tell(input, a = 0, b = 0, c = 0) {
    this.#now = performance.now();
    if (this.#handle(input, a, b, c) & code.STATUS_ACTIONS) this.#act();
  }

  #handle(input, a, b, c) {
    try {
      if (this.#heardAt) {
        this.#now = Math.max(this.#now, this.#heardAt);
        this.#wasm.handle(this.#core, this.#heardAt, code.INPUT_HEARD, this.#link.attempt, 0, 0);
        this.#heardAt = 0;
      }
      return this.#wasm.handle(this.#core, this.#now, input, a, b, c);
    } catch (error) {
      trapped(error);
      return 0;
    }
  }

  /** Does what the core asks for, one thing after the other, whatever else is asked for meanwhile. */
  #act() {
    if (this.#isActing) return;
    this.#isActing = true;
    try {
      let action;
      while ((action = this.#wasm?.poll(this.#core))) this.#perform(action);
    } catch (error) {
      trapped(error);
    }
    this.#isActing = false;
    if (this.#waiting.length && this.#isReady()) for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #perform(action) {
    const link = this.#link;
    const [a, b, c, d, e, f] = OPERANDS.map((index) => this.#wasm.operand(this.#core, index));
    switch (action) {
      case code.ACTION_DIAL:
        return link.dial(a, b);
      case code.ACTION_TRANSMIT: {
        const { data, bytes } = this.#outbox.take(a);
        return this.#transmit(data, bytes);
      }
      case code.ACTION_PROBE:
        return this.#probe(a);
      case code.ACTION_MEASURE:
        return this.#handle(code.INPUT_BUFFERED, a, link.socket.bufferedAmount, 0);
      case code.ACTION_CLOSE:
        return link.socket.close(...this.#closing.args);
      case code.ACTION_ABANDON:
        return link.abandon();
      case code.ACTION_OPENED:
        return this.#opened();
      case code.ACTION_LATENCY:
        return this.#dispatch("latency", { roundTrip: a });
      case code.ACTION_DROPPED:
        return this.#dropped(a, b, c, d, e, f);
      case code.ACTION_DISCARDED:
        return this.#discarded(this.#outbox.take(a), DISCARDED[b]);
      case code.ACTION_ENDED:
        this.#mayBeLost(d, e);
        return this.#end({ code: b, reason: link.told.reason, wasClean: c === 1 });
      case code.ACTION_ALARM:
        return this.#setAlarm(a);
    }
  }

  #receive(event) {
    const { data } = event;
    const { words, isWatched } = this.#options;
    const answer = words?.read(data);
    if (answer) return this.#tell(code.INPUT_PONG, this.#link.attempt, ...answer);
    // An event knows when it was made, which is quicker read than the clock.
    if (isWatched) this.#heardAt = event.timeStamp ?? performance.now();
    this.#counts.messagesIn += 1;
    this.#counts.bytesIn += sizeOf(data);
    // Those of the package ws are events of its own.
    if (event instanceof Event) Emitter.pass(this.#target, event, data);
    else dispatch(this.#target, new MessageEvent("message", { data }));
  }

  #transmit(data, size) {
    this.#counts.messagesOut += 1;
    this.#counts.bytesOut += size;
    this.#link.socket.send(data);
  }

  #probe(number) {
    try {
      this.#link.socket.send(this.#options.words.ask(number));
    } catch (error) {
      report(error);
    }
  }

  #opened() {
    const { protocol = "", extensions = "" } = this.#link.socket;
    const lost = this.#lost;
    this.#lost = undefined;
    this.protocol = protocol;
    this.extensions = extensions;
    this.readyState = 1;
    this.#counts.opened += 1;
    this.#isOpening = true;
    this.#dispatch("open");
    this.#isOpening = false;
    if (this.#counts.opened > 1) this.#dispatch("reconnected", { attempts: lost.attempts, downtime: this.#now - lost.at });
  }

  #dropped(cause, byDefault, bytes, messages, attempt, at) {
    this.readyState = 0;
    this.#counts.dropped += 1;
    this.#lost ??= { at: this.#now, attempts: 0 };
    this.#lost.attempts += 1;
    this.#mayBeLost(bytes, messages);
    const { code: closeCode, reason, wasClean } = this.#link.told;
    const delay = at < 0 ? Infinity : Math.max(at - this.#now, 0);
    const drop = { cause: CAUSES[cause], code: closeCode, reason, wasClean, attempt, delay };
    // What the page's life or the application has ended is no matter of policy.
    if (cause < code.CAUSE_SUSPENDED && !this.#isRetried(drop, byDefault === 1)) {
      this.#final = drop;
      this.#tell(code.INPUT_CLOSE, 1000);
    } else {
      this.#dispatch("reconnecting", drop);
    }
  }

  #isRetried(drop, byDefault) {
    try {
      return this.#options.shouldReconnect?.(drop, byDefault) ?? byDefault;
    } catch (error) {
      report(error);
      return byDefault;
    }
  }

  #discarded({ data, bytes }, reason) {
    this.#dispatch("drop", { reason, data, bytes, messages: 1 });
  }

  #mayBeLost(bytes, messages) {
    if (messages) this.#dispatch("drop", { reason: "connection-lost", bytes, messages });
  }

  #setAlarm(at) {
    clearTimeout(this.#timer);
    this.#alarmAt = at;
    const ring = () => {
      this.#alarmAt = Infinity;
      this.#tell(code.INPUT_WAKE, Date.now());
    };
    // Rounded up: an alarm that rang just before its deadline would ring again for nothing.
    this.#timer = setTimeout(ring, Math.min(Math.ceil(Math.max(at - this.#now, 0)), LONGEST_TIMEOUT));
  }

  /** The connection is over. */
  #end(told) {
    if (this.#final) this.#finish(this.#final, !this.#final.wasClean);
    else if (!this.#closing) this.#finish(told, !told.wasClean);
    else if (!this.#closing.wasConnecting) this.#finish(told);
    else {
      // Closed before it was open: the browser tells later, with an error.
      this.#giveBack();
      queueMicrotask(() => this.#finish(NOTHING_TOLD, true));
    }
  }

  #fail(how, error) {
    const message = `Everwire's wasm module ${how} (${error?.message ?? error}).`;
    this.#finish({ ...NOTHING_TOLD, reason: message }, true, { message, error });
  }

  #finish(told, isError, details = told.reason ? { message: told.reason } : {}) {
    this.#giveBack();
    this.#link.abandon();
    this.readyState = 3;
    this.#refuseWaiting();
    for (const message of this.#outbox.drain()) this.#discarded(message, "closed");
    const close = () => dispatch(this.#target, closeEvent(told));
    if (!isError) return close();
    this.#dispatch("error", details);
    // What a listener of `error` has put off comes before `close`, as in a browser.
    queueMicrotask(close);
  }

  #readStats() {
    return this.#wasm ? readStats((stat) => this.#wasm.stat(this.#core, stat)) : this.#lastStats;
  }

  #giveBack() {
    clearTimeout(this.#timer);
    this.#page?.abort();
    if (!this.#wasm) return;
    this.#lastStats = this.#readStats();
    this.#wasm = undefined;
    giveBack(this, this.#core);
  }

  #isReady() {
    return this.readyState === 1 && this.#wasm.stat(this.#core, code.STAT_IS_READY) === 1;
  }

  #refuseWaiting() {
    const closed = exception("The socket is closed: call reconnect() first.", "InvalidStateError");
    for (const { reject } of this.#waiting.splice(0)) reject(closed);
  }

  #dispatch(type, fields) {
    dispatch(this.#target, event(type, fields));
  }
}

const OPERANDS = [0, 1, 2, 3, 4, 5];

/** In bytes; of a text in UTF-16 units, since its bytes are only known by copying it. */
const sizeOf = (data) => (typeof data === "string" ? data.length : (data.byteLength ?? data.size));

/** 0 where the message does not say. */
const lifetime = (options) => (options?.timeToLive === undefined ? 0 : Math.max(options.timeToLive, 1));

const isBinary = (data) => typeof data === "object" && data !== null && ("byteLength" in data || data instanceof Blob);
