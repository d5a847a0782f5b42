import { parseAddress, parseClose, parseProtocols } from "./arguments.js";
import * as code from "./codes.js";
import { Emitter, report } from "./emitter.js";
import { closeEvent, event, exception, hand } from "./events.js";
import { coreFor, release, trapped, whenLoaded } from "./module.js";
import { Outbox } from "./outbox.js";
import { watchPage } from "./page.js";
import { NO_STATS, readStats, serverTime } from "./stats.js";

/** The names of the causes and reasons, by the numbers of `codes.js`. */
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
/** The code that a browser reports where the connection ended without a close frame (RFC 6455, section 7.1.5). */
const NO_CLOSE_FRAME = 1006;

const NOTHING_TOLD = { code: NO_CLOSE_FRAME, reason: "", wasClean: false };

/**
 * For so long after it was read the clock may be taken for what it was, when a message is sent: reading it takes Chromium longer than
 * all the rest that a message needs.
 */
const CLOCK_GOOD_FOR = 1_000;

/**
 * Obeys the core: turns its actions into calls of the browser's WebSocket and timers, their events into inputs, and decides
 * nothing.
 */
export class Driver {
  #target;
  #WebSocket;
  #address;
  #protocols;
  #options;

  #core;
  #isActing = false;
  #page;
  #timer;
  /** When the timer rings. */
  #alarmAt = Infinity;
  /** The time of the latest happening. */
  #now = 0;

  /** The number of the present attempt and the socket that came of it. */
  #attempt = 0;
  #socket;
  #binaryType = "blob";
  /** What the latest close event or failed provider told. */
  #told = NOTHING_TOLD;
  /** The arguments of `close`, once it was called. */
  #closing;
  /** The drop that the application's own policy found final. */
  #final;
  /** `open` is being dispatched: what is sent meanwhile goes ahead of what waits. */
  #isOpening = false;
  #lost;

  #outbox = new Outbox();
  #waiters = [];
  #counts = { opened: 0, dropped: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  /** The statistics of the link as they were when the last core was given back. */
  #lastStats = NO_STATS;

  readyState = 0;
  url = "";
  protocol = "";
  extensions = "";

  constructor(target, WebSocket, address, protocols, options) {
    this.#target = target;
    this.#WebSocket = WebSocket;
    this.#address = address;
    this.#protocols = protocols;
    this.#options = options;
    if (typeof address !== "function") this.url = address;
    this.#start();
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (type !== "blob" && type !== "arraybuffer") return;
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }

  get bufferedAmount() {
    return this.#outbox.bytes + (this.#socket?.bufferedAmount ?? 0);
  }

  get stats() {
    return {
      latency: this.#core ? readStats(this.#core) : this.#lastStats,
      ...this.#counts,
      queuedMessages: this.#outbox.size,
      queuedBytes: this.#outbox.bytes,
    };
  }

  get serverTime() {
    return this.#core && serverTime(this.#core, performance.now());
  }

  send(data, options) {
    if (this.readyState > 1) return "refused";
    if (typeof data !== "string" && !isBinary(data)) data = String(data);
    const core = this.#core;
    if (!core) return this.#keepUntilLoaded(data, options);
    const size = sizeOf(data);
    const outbox = this.#outbox;
    let timeToLive = 0;
    let latest = 0;
    if (options) {
      timeToLive = lifetime(options);
      latest = outbox.numberOf(options.key);
    }
    let outcome;
    try {
      outcome = core.send(this.#clock(timeToLive), size, outbox.nextKey, timeToLive, latest, this.#isOpening);
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
    const wasConnecting = this.readyState === 0;
    this.readyState = 2;
    this.#closing = { args, wasConnecting };
    if (this.#core) this.#tell(code.INPUT_CLOSE, args[0] ?? 1000);
    else this.#end(code.CAUSE_BY_APPLICATION, NO_CLOSE_FRAME, false);
  }

  reconnect() {
    if (this.#core) this.#tell(code.INPUT_RECONNECT);
    else if (this.readyState === 3) this.#start();
  }

  ready() {
    if (this.#isReady()) return Promise.resolve();
    if (this.readyState > 1) return Promise.reject(exception("The socket is closed: reconnect() before sending.", "InvalidStateError"));
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** The core is gone for good, since the wasm module has trapped. */
  strand(error) {
    this.#core.__destroy_into_raw();
    this.#core = undefined;
    this.#fail(`The wasm module of Everwire has failed and was given up: ${error.message}`, error);
  }

  #start() {
    this.readyState = 0;
    this.#closing = this.#final = undefined;
    whenLoaded(
      () => this.#open(),
      (error) => {
        const help = "pass init() the place it is served from, or import everwire/inline";
        if (this.readyState === 0) this.#fail(`The wasm module of Everwire could not be loaded (${error.message}): ${help}.`, error);
      },
    );
  }

  #open() {
    if (this.readyState !== 0 || this.#core) return;
    this.#core = coreFor(this, this.#options.knobs);
    this.#page = new AbortController();
    watchPage((input) => this.#tell(input), this.#page.signal);
    this.#tell(code.INPUT_OPEN);
    for (const [key, { bytes, options }] of this.#outbox.entries()) {
      this.#core?.send(this.#now, bytes, key, lifetime(options), this.#outbox.numberOf(options?.key), false);
    }
    this.#act();
  }

  #keepUntilLoaded(data, options) {
    const { limits } = this.#options;
    if (this.#outbox.size >= limits.maxMessages || this.#outbox.bytes + byteLength(data) > limits.maxBytes) return "refused";
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
    let status;
    try {
      this.#now = performance.now();
      status = this.#core.handle(this.#now, input, a, b, c);
    } catch (error) {
      trapped(error);
      return;
    }
    if (status & code.STATUS_ACTIONS) this.#act();
  }

  /** Does what the core asks for, one thing after the other, whatever else is asked for meanwhile. */
  #act() {
    if (this.#isActing) return;
    this.#isActing = true;
    try {
      let action;
      while ((action = this.#core?.poll())) this.#perform(action, (index) => this.#core.operand(index));
    } catch (error) {
      trapped(error);
    }
    this.#isActing = false;
    if (this.#waiters.length && this.#isReady()) this.#settle(({ resolve }) => resolve());
  }

  #perform(action, operand) {
    switch (action) {
      case code.ACTION_DIAL:
        return this.#dial(operand(0), operand(1));
      case code.ACTION_TRANSMIT: {
        const { data, bytes } = this.#outbox.take(operand(0));
        return this.#transmit(data, bytes);
      }
      case code.ACTION_PROBE:
        return this.#probe(operand(0));
      case code.ACTION_MEASURE:
        return void this.#core.handle(this.#now, code.INPUT_BUFFERED, operand(0), this.#socket.bufferedAmount, 0);
      case code.ACTION_CLOSE:
        return this.#socket.close(...this.#closing.args);
      case code.ACTION_ABANDON:
        return this.#abandon();
      case code.ACTION_OPENED:
        return this.#opened();
      case code.ACTION_LATENCY:
        return this.#dispatch("latency", { roundTrip: operand(0) });
      case code.ACTION_DROPPED:
        return this.#dropped([0, 1, 2, 3, 4, 5].map(operand));
      case code.ACTION_DISCARDED: {
        const reason = DISCARDED[operand(1)];
        return this.#discarded(this.#outbox.take(operand(0)), reason);
      }
      case code.ACTION_ENDED: {
        const [cause, closeCode, wasClean, bytes, messages] = [0, 1, 2, 3, 4].map(operand);
        this.#mayBeLost(bytes, messages);
        return this.#end(cause, closeCode, wasClean === 1);
      }
      case code.ACTION_ALARM:
        return this.#setAlarm(operand(0));
    }
  }

  /** Opens a socket; the attempt counts as failed if a function for address or protocols throws. */
  #dial(attempt, failures) {
    this.#abandon();
    this.#attempt = attempt;
    this.#told = NOTHING_TOLD;
    const sources = [this.#address, this.#protocols];
    if (!sources.some((source) => typeof source === "function")) {
      return this.#connect(attempt, ...sources, code.INPUT_REFUSED);
    }
    const ask = async (source) => (typeof source === "function" ? source({ failures }) : source);
    const isCurrent = () => this.#attempt === attempt;
    Promise.all(sources.map(ask)).then(
      (given) => {
        if (isCurrent()) this.#connect(attempt, ...given, code.INPUT_PROVIDER_FAILED);
      },
      (error) => {
        if (isCurrent()) this.#refuse(attempt, error, code.INPUT_PROVIDER_FAILED);
      },
    );
  }

  #connect(attempt, address, protocols, failure) {
    const WebSocket = this.#WebSocket;
    let socket;
    try {
      this.url = parseAddress(address);
      const offered = parseProtocols(protocols);
      socket = offered.length ? new WebSocket(this.url, offered) : new WebSocket(this.url);
    } catch (error) {
      return this.#refuse(attempt, error, failure);
    }
    socket.binaryType = this.#binaryType;
    socket.onopen = () => this.#tell(code.INPUT_OPENED, attempt);
    socket.onmessage = (event) => this.#receive(event, attempt);
    // A browser tells nothing with it, and a `close` follows; but the class of the package ws throws where nobody listens.
    socket.onerror = () => {};
    socket.onclose = ({ code: closeCode, reason, wasClean }) => {
      this.#told = { code: closeCode, reason, wasClean };
      const { bufferedAmount } = socket;
      this.#attempt = 0;
      this.#socket = undefined;
      this.#tell(code.INPUT_CLOSED, attempt, wasClean ? closeCode : -closeCode, bufferedAmount);
    };
    this.#socket = socket;
  }

  #refuse(attempt, error, failure) {
    this.#told = { ...NOTHING_TOLD, reason: String(error?.message ?? error) };
    this.#attempt = 0;
    this.#tell(failure, attempt);
  }

  /** Listens no more, then closes: a browser may take a minute until a dead socket is gone, and nobody waits for it. */
  #abandon() {
    const socket = this.#socket;
    this.#attempt = 0;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #receive(event, attempt) {
    const { data } = event;
    const answer = this.#options.words?.read(data);
    if (answer) return this.#tell(code.INPUT_PONG, attempt, ...answer);
    const size = sizeOf(data);
    // An event knows the time that it was made; but one that was kept knows an earlier time than others.
    if (event.timeStamp > this.#now) this.#now = event.timeStamp;
    let status;
    try {
      status = this.#core.handle(this.#now, code.INPUT_RECEIVED, attempt, size, 0);
    } catch (error) {
      return trapped(error);
    }
    if (status & code.STATUS_DELIVER) {
      this.#counts.messagesIn += 1;
      this.#counts.bytesIn += size;
      if (event instanceof Event) Emitter.passMessage(this.#target, event, data);
      else hand(this.#target, "message", event);
    }
    if (status & code.STATUS_ACTIONS) this.#act();
  }

  #transmit(data, size) {
    this.#counts.messagesOut += 1;
    this.#counts.bytesOut += size;
    this.#socket.send(data);
  }

  #probe(number) {
    try {
      this.#socket.send(this.#options.words.ask(number));
    } catch (error) {
      report(error);
    }
  }

  #opened() {
    const { protocol = "", extensions = "" } = this.#socket;
    this.protocol = protocol;
    this.extensions = extensions;
    this.readyState = 1;
    this.#counts.opened += 1;
    const lost = this.#lost;
    this.#lost = undefined;
    this.#isOpening = true;
    this.#dispatch("open");
    this.#isOpening = false;
    if (lost && this.#counts.opened > 1) this.#dispatch("reconnected", { attempts: lost.attempts, downtime: this.#now - lost.at });
  }

  #dropped([cause, byDefault, bytes, messages, attempt, at]) {
    this.readyState = 0;
    this.#counts.dropped += 1;
    this.#lost ??= { at: this.#now, attempts: 0 };
    this.#lost.attempts += 1;
    const drop = { cause: CAUSES[cause], ...this.#told, attempt, delay: at < 0 ? Infinity : Math.max(at - this.#now, 0) };
    this.#mayBeLost(bytes, messages);
    const { shouldReconnect } = this.#options;
    const isAsked = cause !== code.CAUSE_SUSPENDED && cause !== code.CAUSE_REQUESTED;
    if (shouldReconnect && isAsked && !judge(shouldReconnect, drop, byDefault === 1)) {
      this.#final = drop;
      return this.#tell(code.INPUT_CLOSE, 1000);
    }
    this.#dispatch("reconnecting", drop);
  }

  #discarded({ data, bytes }, reason) {
    this.#dispatch("drop", { reason, data, bytes, messages: 1 });
  }

  #mayBeLost(bytes, messages) {
    if (messages > 0) this.#dispatch("drop", { reason: "connection-lost", bytes, messages });
  }

  #setAlarm(at) {
    clearTimeout(this.#timer);
    // Rounded up: an alarm that rang just before its deadline would ring again for nothing.
    const delay = Math.min(Math.max(Math.ceil(at - this.#now), 0), LONGEST_TIMEOUT);
    this.#alarmAt = at;
    this.#timer = setTimeout(() => {
      this.#alarmAt = Infinity;
      this.#tell(code.INPUT_WAKE, Date.now());
    }, delay);
  }

  /** The core has said its last word. */
  #end(cause, closeCode, wasClean) {
    const { reason } = this.#told;
    if (this.#final) return this.#finish(this.#final, !this.#final.wasClean);
    if (!this.#closing) return this.#finish({ code: closeCode, reason, wasClean }, !wasClean);
    if (!this.#closing.wasConnecting) return this.#finish({ code: closeCode, reason, wasClean }, false);
    // Closed before it was open: the browser tells later, with an error.
    this.#giveBack();
    queueMicrotask(() => this.#finish(NOTHING_TOLD, true));
  }

  /** The wasm module is not there. */
  #fail(message, error) {
    this.#finish({ ...NOTHING_TOLD, reason: message }, true, { message, error });
  }

  #finish(closed, isError, details = { message: closed.reason }) {
    this.#giveBack();
    this.#abandon();
    this.readyState = 3;
    this.#settle(({ reject }) => reject(exception("The socket was closed.", "InvalidStateError")));
    for (const message of this.#outbox.drain()) this.#discarded(message, "closed");
    if (isError) this.#dispatch("error", details);
    this.#target.dispatchEvent(closeEvent(closed));
  }

  #giveBack() {
    clearTimeout(this.#timer);
    this.#page?.abort();
    if (!this.#core) return;
    this.#lastStats = readStats(this.#core);
    release(this, this.#core);
    this.#core = undefined;
  }

  #isReady() {
    return this.readyState === 1 && this.#core.stat(code.STAT_IS_READY) === 1;
  }

  #settle(how) {
    for (const waiter of this.#waiters.splice(0)) how(waiter);
  }

  #dispatch(type, fields) {
    this.#target.dispatchEvent(event(type, fields));
  }
}

function judge(shouldReconnect, drop, byDefault) {
  try {
    return shouldReconnect(drop, byDefault);
  } catch (error) {
    report(error);
    return byDefault;
  }
}

const sizeOf = (data) => (typeof data === "string" ? data.length : (data.byteLength ?? data.size));

/** 0 where the message does not say. */
const lifetime = (options) => (options?.timeToLive === undefined ? 0 : Math.max(options.timeToLive, 1));

const isBinary = (data) => typeof data === "object" && data !== null && ("byteLength" in data || data instanceof Blob);
