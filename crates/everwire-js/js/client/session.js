import * as code from "../../build/codes.js";
import { byteLength, isProvider, parseAddress, sizeOf } from "../arguments.js";
import { dispatch, event } from "../events.js";
import { createMachine, statsOf } from "../machine.js";
import { trapped } from "../module.js";
import { readValues } from "../options.js";
import { Entry } from "./channels.js";
import { headers, kinds, MessageWriter, readMessage } from "./codec.js";
import { EverError } from "./errors.js";
import { Message } from "./queue.js";

const SUBPROTOCOL = "everwire.v1";
/** The most bytes of a message before `welcome`, and what remains of them for credentials. */
const MAX_GREETING = 65_536;
const MAX_CREDENTIALS = MAX_GREETING - 1_024;
/** The most bytes that precede a payload, but for names. */
const HEADER = 128;
/** How many earlier sessions are remembered, so that their messages are known as the client's own. */
const REMEMBERED_SESSIONS = 8;
const STARTS = ["live", "hold", "state", "last", "from"];

/** The inputs of the lines of a server, and which of their words are operands. What is left out is not a number, which stands for none. */
const INPUTS = {
  welcome: [code.INPUT_WELCOME, "isNew", "acked", "requests", "credits", "message", "heartbeat"],
  subscribed: [code.INPUT_SUBSCRIBED, "id"],
  msg: [code.INPUT_MESSAGE, "id"],
  pos: [code.INPUT_POSITION, "id", "live"],
  gap: [code.INPUT_GAP, "id", "reason", "missed"],
  unsub: [code.INPUT_UNSUBSCRIBED, "id", "code"],
  presence: [code.INPUT_PRESENCE, "id"],
  join: [code.INPUT_PRESENCE, "id"],
  leave: [code.INPUT_PRESENCE, "id"],
  ack: [code.INPUT_ACKED, "seq"],
  nack: [code.INPUT_REFUSED, "seq", "code", "of"],
  res: [code.INPUT_RESPONSE, "seq", "part", "more"],
  credits: [code.INPUT_CREDITS, "credits"],
  pong: [code.INPUT_PONG, "attempt", "number", "time"],
  drain: [code.INPUT_DRAIN, "deadline", "spread"],
  error: [code.INPUT_ERROR, "code", "fatal", "retry"],
  bye: [code.INPUT_BYE, "code"],
  "unknown-line": [code.INPUT_UNKNOWN_LINE],
  malformed: [code.INPUT_MALFORMED],
};

/** What follows the offset in the header of a message whose options are in the usual order: they are read without a detour. */
const OPTIONS = /(?: by=([\w-]{1,64}):[1-9]\d{0,14})?(?: key=([^\0- \x7f-\x9f]{1,42}))?(?: after=(0|[1-9]\d{0,14}))?\n/y;

/**
 * A session over a core, for the client `target`: texts and payloads by the numbers that the core has for them. It writes and reads lines,
 * and decides nothing.
 */
export function createSession(target, WebSocket, url, token, options, log) {
  const channels = new Map();
  const entries = new Map();
  const publishes = new Map();
  const requests = new Map();
  const writer = new MessageWriter();
  /** What was called before there was a core. */
  const early = [];
  /** The exports of the wasm module, the number of the core there, and its operands by their halves. */
  let wasm, coreNumber;
  let halves = {};
  let state = "connecting";
  let isFlushing = false;
  /** The payload of the next `hello`, and how often credentials were asked for. */
  let credentials = isProvider(token) ? undefined : token;
  let asked = 0;
  let identity;
  let earlier = [];
  /** The line that is being handled, and its payload. */
  let line, payload;
  /** The channel of the latest message. */
  let latest;
  /** The latest statistics that were read. */
  let stats = { ...statsOf(code.STATS.map((_, place) => (place < code.STAT_OPENED ? NaN : 0))), pending: 0, pendingBytes: 0 };
  /** Why the client is over. */
  let over;
  let ended;
  const closed = new Promise((resolve) => (ended = resolve));

  const notify = (type, fields) => {
    const what = event(type, fields);
    log?.(type, what);
    dispatch(target, what);
  };

  // Cursors, which have larger numbers than JavaScript.

  const bits = () => {
    const { buffer, byteOffset, length } = machine.operands;
    return new BigUint64Array(buffer, byteOffset, length);
  };
  const cursor = () =>
    `${bits()[code.OPERAND_CURSOR].toString(16)}.${bits()[code.OPERAND_CURSOR + 1]}.${machine.operands[code.OPERAND_CURSOR + 2]}`;
  const setCursor = ([epoch, offset, time], after = offset - 1n) => {
    const words = bits();
    words[code.OPERAND_CURSOR] = epoch;
    words[code.OPERAND_CURSOR + 1] = offset;
    machine.operands[code.OPERAND_CURSOR + 2] = time;
    words[code.OPERAND_CURSOR + 3] = after;
  };
  /** Hands an input to the core, and leaves what follows. */
  const tell = (input, ...operands) => {
    machine.operands?.set(operands);
    return machine.call("handle", machine.now, input);
  };
  const core = {
    handle: (...input) => machine.handle(...input),
    position: (id) => (tell(code.INPUT_LOCATE, id) & code.STATUS_ACCEPTED ? cursor() : undefined),
    subscribe(entry, text) {
      const [start, value] = text.split(":");
      if (start === "from") setCursor(kinds.cursor(value), 0n);
      tell(entry.id ? code.INPUT_RESTART : code.INPUT_SUBSCRIBE, entry.id, STARTS.indexOf(start), value);
      entry.id ??= machine.operands[0];
      entries.set(entry.id, entry);
      machine.act();
    },
  };

  // Lines out.

  function push(header, payload) {
    log?.(`→ ${header.replace(/secret=\S+/, "secret=…")}`);
    writer.push(header, payload);
    if (isFlushing) return;
    isFlushing = true;
    // What is called in one go travels in one message.
    queueMicrotask(flush);
  }

  function flush() {
    isFlushing = false;
    for (const message of writer.take()) {
      const status = machine.operands && machine.sendNow(sizeOf(message), true);
      try {
        if (status & code.STATUS_ACCEPTED) machine.link.socket.send(message);
      } catch (error) {
        machine.link.fail(error, code.INPUT_CLOSED, -1006, Infinity);
      }
      if (status & code.STATUS_ACTIONS) machine.act();
    }
  }

  // Lines in.

  function take(read, given) {
    // The line before may have been the last one.
    if (!machine.operands) return;
    line = read;
    payload = given;
    const { type, error, channel, cursor, after, of, secret } = read;
    log?.(`← ${[error, type, channel ?? read.seq, error ?? ""].join(" ")}`);
    const entry = channels.get(channel);
    read.id = entry?.id ?? 0;
    read.isNew = secret && 1;
    read.attempt = machine.link.attempt;
    const [input, ...names] = INPUTS[error ?? type];
    if (cursor) setCursor(cursor, after);
    const status = machine.handle(of ? code.INPUT_REQUEST_REFUSED : input, ...names.map((name) => read[name]));
    if (type === "subscribed") entry?.moved();
    if (!(status & code.STATUS_ACCEPTED) || !entry) return;
    if (type !== "msg") return void entry.members?.change(read, given);
    const [epoch, offset, time] = cursor;
    deliver(entry, given, epoch.toString(16), Number(offset), time, read.by, read.key);
    // The next one of this channel and epoch goes by `message`.
    entry.prefix = `msg ${channel} ${epoch.toString(16)}.`;
    entry.epoch = epoch.toString(16);
    entry.high = Number(epoch >> 32n);
    entry.low = Number(epoch & 0xffffffffn);
    latest = entry;
  }

  const setHalves = (place, value) => {
    halves[2 * place] = value;
    halves[2 * place + 1] = value / 2 ** 32;
  };

  /** Takes a line of a text if it is a message as most are: with numbers that JavaScript has, and with its options in the usual order. */
  function message(text, from, to) {
    let entry = latest;
    if (!entry) return false;
    if (!text.startsWith(entry.prefix, from)) {
      if (!text.startsWith("msg ", from)) return false;
      entry = channels.get(text.slice(from + 4, text.indexOf(" ", from + 4)));
      if (!entry?.prefix || !text.startsWith(entry.prefix, from)) return false;
      latest = entry;
    }
    let at = from + entry.prefix.length;
    let offset = 0;
    let time = 0;
    let digit;
    let start = at;
    while ((digit = text.charCodeAt(at) - 48) >= 0 && digit < 10) {
      offset = offset * 10 + digit;
      at += 1;
    }
    if (digit !== -2 || at - start > 15 || text.charCodeAt(start) === 48) return false;
    start = at += 1;
    while ((digit = text.charCodeAt(at) - 48) >= 0 && digit < 10) {
      time = time * 10 + digit;
      at += 1;
    }
    if (at - start > 15 || text.charCodeAt(start) === 48) return false;
    let by, key, after;
    if (digit === -16) {
      OPTIONS.lastIndex = at;
      const options = OPTIONS.exec(text);
      if (!options || OPTIONS.lastIndex > to) return false;
      at = OPTIONS.lastIndex;
      [, by, key, after] = options;
      if (after >= offset) return false;
    } else if (digit === -38 && at < to) {
      at += 1;
    } else {
      return false;
    }
    // As `setCursor`, without big integers, and without what an input of any other kind needs.
    const { operands } = machine;
    if (operands.buffer !== halves.buffer) halves = new Uint32Array(operands.buffer, operands.byteOffset, 2 * operands.length);
    operands[0] = entry.id;
    halves[2 * code.OPERAND_CURSOR] = entry.low;
    halves[2 * code.OPERAND_CURSOR + 1] = entry.high;
    setHalves(code.OPERAND_CURSOR + 1, offset);
    operands[code.OPERAND_CURSOR + 2] = time;
    setHalves(code.OPERAND_CURSOR + 3, after === undefined ? offset - 1 : +after);
    let status;
    try {
      status = wasm.handle(coreNumber, machine.now, code.INPUT_MESSAGE);
    } catch (error) {
      trapped(error);
      return true;
    }
    if (status & code.STATUS_ACCEPTED) deliver(entry, text.slice(at, to), entry.epoch, offset, time, by, key);
    else if (status) {
      line = { type: "msg" };
      machine.act();
    }
    return true;
  }

  function deliver(entry, payload, epoch, offset, time, by, key) {
    const isOwn = by !== undefined && (by === identity.session || earlier.includes(by));
    let raw, value;
    for (const reader of entry.readers) {
      const item = reader.options.raw
        ? (raw ??= new Message("message", payload, epoch, offset, time, key, by, isOwn, payload?.length))
        : (value ??= decoded(new Message("message", payload, epoch, offset, time, key, by, isOwn, payload?.length)));
      if (entry.serves(reader, item)) reader.push(item);
    }
  }

  // What the core says.

  const own = {
    [code.ACTION_OPENED]() {
      writer.take();
      writer.maxBytes = MAX_GREETING;
      machine.handle(code.INPUT_NEGOTIATED, machine.link.socket.protocol === SUBPROTOCOL);
    },
    [code.ACTION_LATENCY](roundTrip) {
      notify("latency", { roundTrip });
    },
    [code.ACTION_DROPPED](cause, attempt, at) {
      state = "waiting";
      notify("reconnecting", machine.dropOf(cause, attempt, at));
    },
    [code.ACTION_CLOSE]() {
      machine.link.socket.close(1000);
    },
    [code.ACTION_HELLO](attempt, isResume, acked, floor, closedBy) {
      for (const entry of channels.values()) entry.reconnected();
      if (credentials && byteLength(credentials) > MAX_CREDENTIALS) return machine.handle(code.INPUT_END, code.OVER_CREDENTIALS_TOO_LARGE);
      push(headers.hello(attempt, isResume ? identity : undefined, acked, floor, closedBy), credentials);
    },
    [code.ACTION_SUB](id, start, count) {
      const { name, isLatest, members } = entries.get(id);
      const words = start === code.START_LAST ? `last:${count}` : start === code.START_FROM ? `from:${cursor()}` : STARTS[start];
      push(headers.sub(name, words, isLatest, members));
    },
    [code.ACTION_UNSUB](id) {
      push(headers.unsub(entries.get(id)?.name ?? line.channel));
    },
    [code.ACTION_PUB](id, seq, after) {
      const { channel, key, payload } = publishes.get(id);
      push(headers.pub(channel, seq, after < 0 ? undefined : after, key), payload);
    },
    [code.ACTION_REQ](id, seq, timeout, floor, part) {
      const { name, payload } = requests.get(id);
      push(headers.req(name, seq, timeout < 0 ? undefined : Math.floor(timeout), floor, Math.max(part, 0)), payload);
    },
    [code.ACTION_CANCEL](seq) {
      push(headers.cancel(seq));
    },
    [code.ACTION_REPORT](number) {
      push(headers.error(code.ERROR_CODES[number], line?.type));
    },
    [code.ACTION_BYE]() {
      push(headers.bye());
    },
    [code.ACTION_FAULT](closeCode) {
      flush();
      machine.link.socket.close(closeCode);
    },
    [code.ACTION_ATTACHED](attachment) {
      const { session, secret, message } = line;
      if (secret) {
        earlier = [...(identity ? [identity.session] : []), ...earlier].slice(0, REMEMBERED_SESSIONS);
        identity = { session, secret };
      }
      writer.maxBytes = message;
      state = "attached";
      notify("attached", { session: code.ATTACHMENTS[attachment] });
    },
    [code.ACTION_PUBLISHED](id, number, isOver) {
      const { resolve, reject } = publishes.get(id);
      publishes.delete(id);
      if (number < 0) resolve({ offset: Number(bits()[code.OPERAND_CURSOR + 1]), cursor: cursor() });
      else reject(failure("publish", number, isOver));
    },
    [code.ACTION_ANSWERED](id, part, more) {
      const { answer } = requests.get(id);
      if (!more) requests.delete(id);
      answer(payload, !more);
    },
    [code.ACTION_FAILED](id, number, isOver) {
      const { reject } = requests.get(id);
      requests.delete(id);
      reject(failure("request", number, isOver));
    },
    [code.ACTION_MISSED](id, reason, missed) {
      const gap = { type: "gap", reason: code.GAP_REASONS[reason], missed: missed < 0 ? undefined : missed, cursor: cursor() };
      entries.get(id).skip(gap);
    },
    [code.ACTION_RESUMED](id) {
      entries.get(id).resumed();
    },
    [code.ACTION_CAUGHT_UP](id) {
      entries.get(id).caughtUp();
    },
    [code.ACTION_UNSUBSCRIBED](id, number, isOver) {
      // Those that end with the client have its error.
      if (isOver) return;
      const entry = entries.get(id);
      entries.delete(id);
      channels.delete(entry.name);
      if (latest === entry) latest = undefined;
      if (number >= 0) entry.end(failure("subscription", number));
    },
    [code.ACTION_OVER](why, number) {
      over = why ? new EverError(code.OVERS[why], `The client is over: ${code.OVERS[why]}.`) : failure("client", number);
      end();
      flush();
      machine.handle(code.INPUT_CLOSE);
    },
    [code.ACTION_ENDED]() {
      readStats();
      machine.release();
      finish();
    },
  };

  /** Why something failed, with the explanation of the server where the line that is being handled has it. */
  function failure(what, number, isOver) {
    const word = code.ERROR_CODES[number];
    const isExplained = typeof payload === "string" && (line.code === number || line.type === "bye");
    const reason = isExplained ? payload : "";
    // What else follows from the line has failed by itself.
    payload = undefined;
    const message = `The ${what} failed: ${word}${reason && `, ${reason}`}.`;
    if (/^(expired|unknown|too-large)$/.test(word)) return new EverError(word, message, { reason });
    if (isOver) return new EverError("closed", `The client is closed: the ${what} was not sent.`);
    return word === "cancelled" ? new EverError(word, message) : new EverError("refused", message, { refusal: word, reason });
  }

  function readStats() {
    const { operands } = machine;
    if (!operands) return;
    machine.call("stats");
    // The pending ones come after those of the connection.
    const [pending, pendingBytes] = operands.slice(code.STAT_CLOCK_OFFSET + 1);
    stats = { ...statsOf([...operands.slice(0, code.STAT_CLOCK_OFFSET)]), pending, pendingBytes };
  }

  /** The client is over: nothing more comes. */
  function end() {
    state = "closed";
    latest = undefined;
    // A loop ends by itself where the application wanted it.
    const error = over.code === "closed" ? undefined : over;
    for (const entry of entries.values()) entry.end(error);
    for (const task of early.splice(0)) task();
  }

  function finish() {
    machine.link.detach();
    queueMicrotask(() => {
      notify("close", { error: over });
      ended(over);
    });
  }

  /** There is no core any more: what it had was lost with it. */
  function fail(how, error) {
    over = new EverError("module", `Everwire's wasm module ${how} (${error?.message ?? error}).`, { cause: error });
    end();
    for (const { reject } of [...publishes.values(), ...requests.values()]) reject(new EverError("unknown", over.message));
    publishes.clear();
    requests.clear();
    finish();
  }

  const sources = [
    isProvider(url) ? url : parseAddress(`${url}`),
    async (attempt) => {
      const isOffered = machine.operands[2];
      const number = (asked += 1);
      state = "connecting";
      if (isProvider(token)) {
        const given = await token(attempt);
        // One that comes late does not replace that of a later attempt.
        if (number === asked) credentials = given;
      }
      return isOffered ? [SUBPROTOCOL] : [];
    },
  ];
  const values = readValues(options);
  // The times of messages are not read, which would cost as much as the core: a link that is not silent may be pinged once in a heartbeat.
  const settings = { options: values, pings: { ping: headers.ping, read() {} }, hasHeartbeat: false };
  const machine = createMachine(
    WebSocket,
    sources,
    settings,
    own,
    // An event takes longer to give its data than all that is done with it here.
    (_, data) => readMessage(data, take, log ? undefined : message),
    (...given) => {
      [wasm, coreNumber] = given;
      for (const task of early.splice(0)) task();
    },
    fail,
  );
  machine.link.binaryType = "arraybuffer";
  values[code.OPTION_SENDS_PINGS] = 1;
  values[code.OPTION_ASKS_APPLICATION] = 0;
  values[code.OPTION_RENEWS_CREDENTIALS] = isProvider(url) || isProvider(token);
  machine.start(() => !over);

  /** Calls it once there is a core, or once the client is over. */
  const run = (task) => (over || machine.operands ? task() : early.push(task));

  /** The entry of a channel, for what reads it. */
  const withEntry = (name, reader, use) =>
    run(() => {
      if (over) return reader.end(over);
      if (!channels.has(name)) channels.set(name, new Entry(name, core));
      use(channels.get(name));
    });

  return {
    closed,

    get state() {
      return state;
    },
    get session() {
      return identity?.session;
    },
    get stats() {
      readStats();
      return stats;
    },
    get serverTime() {
      readStats();
      const offset = machine.operands?.[code.STAT_CLOCK_OFFSET];
      return offset ? performance.now() + offset : undefined;
    },

    subscribe: (name, reader) => withEntry(name, reader, (entry) => entry.add(reader)),
    unsubscribe: (reader) => run(() => !over && reader.entry?.remove(reader)),
    watch: (name, watcher) => withEntry(name, watcher, (entry) => entry.watch(watcher)),
    unwatch: (name, watcher) => run(() => !over && channels.get(name)?.unwatch(watcher)),

    publish(channel, payload, key, timeToLive, resolve, reject) {
      run(() => {
        const size = HEADER + byteLength(channel) + byteLength(key ?? "") + byteLength(payload ?? "");
        const id = accept("publish", size, timeToLive, reject);
        if (id) publishes.set(id, { channel, key, payload, resolve, reject });
        machine.act();
      });
    },

    request(name, payload, timeout, answer, reject) {
      const request = {};
      run(() => {
        request.id = accept("request", HEADER + byteLength(name) + byteLength(payload ?? ""), timeout, reject);
        if (request.id) requests.set(request.id, { name, payload, answer, reject });
        machine.act();
      });
      return () => run(() => !over && request.id && machine.handle(code.INPUT_CANCEL, request.id));
    },

    reconnect: () => run(() => !over && machine.handle(code.INPUT_RECONNECT)),

    close() {
      if (over) return;
      if (machine.operands) return machine.handle(code.INPUT_END, code.OVER_CLOSED);
      over = new EverError("closed", "The client was closed.");
      end();
      finish();
    },
  };

  /** Has the core accept a publish or a request; returns its number. */
  function accept(what, size, time, reject) {
    machine.now = performance.now();
    const id = over ? -code.REFUSAL_CLOSED : machine.call("enqueue", machine.now, size, time, what === "request");
    if (id > 0) return id;
    const word = code.REFUSALS[-id];
    reject(new EverError(word, `The ${what} was not accepted: ${word}.`));
    return 0;
  }
}

/** The value of a message: of JSON. With a key and without a payload, the key was removed. */
function decoded(item) {
  const { value } = item;
  try {
    if (value === undefined && item.key !== undefined) item.type = "removed";
    else item.value = valueOf(value);
  } catch (error) {
    item.type = "undecodable";
    item.error = error;
  }
  return item;
}

/** The value of a payload. */
export function valueOf(payload = "", isRaw = false) {
  if (isRaw) return payload;
  if (typeof payload !== "string") throw new SyntaxError("Bytes are no JSON: read them with raw: true.");
  return JSON.parse(payload);
}
