import * as code from "../../build/codes.js";
import { byteLength, isProvider, parseAddress, sizeOf } from "../arguments.js";
import { dispatch, event } from "../events.js";
import { createMachine, statsOf } from "../machine.js";
import { trapped } from "../module.js";
import { readValues } from "../options.js";
import { Entry } from "./channels.js";
import { headers, kinds, LINES, MessageWriter, readMessage } from "./codec.js";
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

/** What follows the time in the header of a message whose options are in the usual order: they are read without a detour. */
const OPTIONS = /(?: by=([\w-]{1,64}):[1-9]\d{0,14})?(?: key=([^\0- \x7f-\x9f]{1,42}))?(?: after=(0|[1-9]\d{0,14}))?\n/y;

/**
 * A session over a core, for the client `target`: texts and payloads by the numbers that the core has for them. It writes and reads lines,
 * and decides nothing.
 */
export function createSession(target, WebSocket, url, token, options, log) {
  const channels = new Map();
  const entries = new Map();
  /** The publishes and requests without an outcome, by their numbers. */
  const pending = new Map();
  const writer = new MessageWriter();
  /** What was called before there was a core. */
  const early = [];
  /** The exports of the wasm module, and the number of the core there. */
  let wasm, core;
  let isFlushing = false;
  /** The payload of the next `hello`, and how often credentials were asked for. */
  let credentials = isProvider(token) ? undefined : token;
  let asked = 0;
  let secret;
  /** The ids of the session and of those before it. */
  let sessions = [];
  /** The line that is being handled, and its payload. */
  let line, payload;
  /** The channel of the latest message. */
  let latest;
  /** The latest statistics that were read. */
  let stats = namedStats(Array.from({ length: code.STAT_CLOCK_OFFSET + 3 }, (_, place) => (place < code.STAT_OPENED ? NaN : 0)));
  /** Why the client is over. */
  let over;
  let ended;

  const notify = (type, fields) => {
    const what = event(type, fields);
    log?.(type, what);
    dispatch(target, what);
  };

  /** A cursor among the operands, whose numbers are larger than those of JavaScript: epoch, offset, time, and the offset before. */
  const cursorBits = () => {
    const { buffer, byteOffset } = machine.operands;
    return new BigUint64Array(buffer, byteOffset + 8 * code.OPERAND_CURSOR, 4);
  };
  const cursor = () => {
    const [epoch, offset, time] = cursorBits();
    return `${epoch.toString(16)}.${offset}.${time}`;
  };
  const setCursor = (cursor, after) => cursorBits().set([...cursor, after ?? cursor[1] - 1n]);

  /** Hands an input to the core, and leaves what follows. */
  const tell = (...input) => machine.call("handle", machine.now, ...input);

  const subscriptions = {
    handle: (...input) => machine.handle(...input),
    position: (id) => (tell(code.INPUT_LOCATE, id) & code.STATUS_ACCEPTED ? cursor() : undefined),
    subscribe(entry, start) {
      const [, from] = start.split("from:");
      if (from) setCursor(kinds.cursor(from), 0n);
      const number = from ? code.START_FROM : start === "hold" ? code.START_HOLD : code.START_OTHER;
      entry.start = start;
      tell(entry.id ? code.INPUT_RESTART : code.INPUT_SUBSCRIBE, entry.id, number);
      entry.id ??= machine.operands[0];
      entries.set(entry.id, entry);
      machine.act();
    },
  };

  // Lines out.

  function push(header, payload) {
    log?.(`→ ${header.replace(/secret=\S+/, "secret=…")}`);
    writer.push(header, payload);
    // What is called in one go travels in one message.
    if (!isFlushing) queueMicrotask(flush);
    isFlushing = true;
  }

  function flush() {
    isFlushing = false;
    for (const message of writer.take()) {
      const status = machine.call("send_now", sizeOf(message), true);
      try {
        if (status & code.STATUS_ACCEPTED) machine.link.socket.send(message);
      } catch (error) {
        machine.link.fail(error, code.INPUT_CLOSED, -1006, Infinity);
      }
      if (status & code.STATUS_ACTIONS) machine.act();
    }
  }

  // Lines in.

  function receive({ data }) {
    let status;
    // Not by `call`, as in `driver.js`. The times of messages are not read, which would cost as much as the core: a link that is not silent
    // may be pinged once in a heartbeat.
    try {
      status = wasm.receive(core, machine.now, machine.link.attempt, sizeOf(data));
    } catch (error) {
      return trapped(error);
    }
    if (status & code.STATUS_ACCEPTED) readMessage(data, take, log ? undefined : message);
    if (status & code.STATUS_ACTIONS) machine.act();
  }

  function take(read, given) {
    // The line before may have been the last one.
    if (!machine.operands) return;
    line = read;
    payload = given;
    const { type, error, channel, cursor, after, secret } = read;
    log?.(`← ${[error, type, channel ?? read.seq, error ?? ""].join(" ")}`);
    const entry = channels.get(channel);
    if (cursor) setCursor(cursor, after);
    // The words of a line are the arguments of its input. What is no number there stands for none.
    const [, ...words] = Object.values({ ...read, channel: entry?.id, session: secret && 1, after: undefined });
    const status = machine.handle(code.INPUT_LINE_WELCOME + LINES.indexOf(error ?? type), ...words);
    if (type === "subscribed") entry?.moved();
    if (!(status & code.STATUS_ACCEPTED) || !entry) return;
    if (type !== "msg") return void entry.members?.change(read, given);
    const [epoch, offset, time] = cursor;
    // The next one of this channel and epoch goes by `message`.
    entry.epoch = epoch.toString(16);
    entry.prefix = `msg ${channel} ${entry.epoch}.`;
    entry.upper = Number(epoch >> 32n);
    entry.lower = Number(epoch & 0xffffffffn);
    latest = entry;
    deliver(entry, given, Number(offset), Number(time), read.by, read.key);
  }

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
    let start = from + entry.prefix.length;
    let at = start;
    let offset = 0;
    let time = 0;
    // Of all characters, this makes digits alone numbers below ten, and a dot 30, a space 16, a line feed 58.
    let digit;
    while ((digit = text.charCodeAt(at) ^ 48) < 10) {
      offset = offset * 10 + digit;
      at += 1;
    }
    if (digit !== 30 || at - start > 15 || text.charCodeAt(start) === 48) return false;
    start = at += 1;
    while ((digit = text.charCodeAt(at) ^ 48) < 10) {
      time = time * 10 + digit;
      at += 1;
    }
    if (at - start > 15 || text.charCodeAt(start) === 48) return false;
    let by, key;
    let after = offset - 1;
    if (digit === 16) {
      OPTIONS.lastIndex = at;
      const options = OPTIONS.exec(text);
      if (!options || OPTIONS.lastIndex > to) return false;
      at = OPTIONS.lastIndex;
      [, by, key] = options;
      after = +(options[3] ?? after);
      if (after >= offset) return false;
    } else if (digit === 58 && at < to) {
      at += 1;
    } else {
      return false;
    }
    let status;
    try {
      status = wasm["handle"](core, machine.now, code.INPUT_MESSAGE, entry.id, entry.upper, entry.lower, offset, time, after);
    } catch (error) {
      trapped(error);
      return true;
    }
    if (status & code.STATUS_ACCEPTED) deliver(entry, text.slice(at, to), offset, time, by, key);
    else if (status) {
      line = { type: "msg" };
      machine.act();
    }
    return true;
  }

  function deliver(entry, payload, offset, time, by, key) {
    const create = () => new Message(payload, entry.epoch, offset, time, key, by, sessions.includes(by));
    let raw, value;
    for (const reader of entry.readers) {
      const item = reader.options.raw ? (raw ??= create()) : (value ??= decoded(create()));
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
      session.state = "waiting";
      notify("reconnecting", machine.dropOf(cause, attempt, at));
    },
    [code.ACTION_CLOSE]() {
      machine.link.socket.close(1000);
    },
    [code.ACTION_HELLO](attempt, isResume, acked, floor, closedBy) {
      for (const entry of channels.values()) entry.reconnected();
      if (credentials && byteLength(credentials) > MAX_CREDENTIALS) return machine.handle(code.INPUT_END, code.OVER_CREDENTIALS_TOO_LARGE);
      push(headers.hello(attempt, isResume ? { session: session.session, secret } : {}, acked, floor, closedBy), credentials);
    },
    [code.ACTION_SUB](id, start) {
      const entry = entries.get(id);
      const words = start === code.START_FROM ? `from:${cursor()}` : entry.start;
      push(headers.sub(entry.name, words, entry.isLatest, entry.members));
    },
    [code.ACTION_UNSUB](id) {
      push(headers.unsub(entries.get(id)?.name ?? line.channel));
    },
    [code.ACTION_PUB](id, seq, after) {
      const { name, key, payload } = pending.get(id);
      push(headers.pub(name, seq, after, key), payload);
    },
    [code.ACTION_REQ](id, seq, timeout, floor, part) {
      const { name, payload } = pending.get(id);
      push(headers.req(name, seq, timeout, floor, part), payload);
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
      if (line.secret) {
        ({ secret } = line);
        session.session = line.session;
        sessions = [line.session, ...sessions].slice(0, REMEMBERED_SESSIONS + 1);
      }
      writer.maxBytes = line.message;
      session.state = "attached";
      notify("attached", { session: code.ATTACHMENTS[attachment] });
    },
    [code.ACTION_PUBLISHED](id) {
      settled(id).resolve({ offset: Number(cursorBits()[1]), cursor: cursor() });
    },
    [code.ACTION_ANSWERED](id, more) {
      (more ? pending.get(id) : settled(id)).answer(payload, !more);
    },
    [code.ACTION_FAILED](id, number, isOver) {
      const { what, reject } = settled(id);
      reject(failure(what, number, isOver));
    },
    [code.ACTION_MISSED](id, reason, missed) {
      entries.get(id).skip({ type: "gap", reason: code.GAP_REASONS[reason], missed: missed < 0 ? undefined : missed, cursor: cursor() });
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

  /** Takes out a publish or a request that has its outcome. */
  function settled(id) {
    const one = pending.get(id);
    pending.delete(id);
    return one;
  }

  /** Why something failed, with the explanation of the server where the line that is being handled has it. */
  function failure(what, number, isOver) {
    const word = code.ERROR_CODES[number];
    const isExplained = typeof payload === "string" && (line.code === number || line.type === "bye");
    const reason = isExplained ? payload : "";
    // What else follows from the line has failed by itself.
    payload = undefined;
    const message = `The ${what} failed: ${word}${reason && `, ${reason}`}.`;
    if (["expired", "unknown", "too-large"].includes(word)) return new EverError(word, message, { reason });
    if (isOver) return new EverError("closed", `The client is closed: the ${what} was not sent.`);
    return word === "cancelled" ? new EverError(word, message) : new EverError("refused", message, { refusal: word, reason });
  }

  function readStats() {
    machine.call("stats");
    if (machine.operands) stats = namedStats([...machine.operands]);
  }

  /** The client is over: nothing more comes. */
  function end() {
    session.state = "closed";
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
    for (const { reject } of pending.values()) reject(new EverError("unknown", over.message));
    pending.clear();
    finish();
  }

  const address = isProvider(url) ? undefined : parseAddress(`${url}`);

  /** The address and the subprotocols of an attempt, which says in its third operand whether to offer any. */
  async function provide(attempt) {
    const isOffered = machine.operands[2];
    session.state = "connecting";
    notify("connecting");
    const [given] = await Promise.all([address ?? url(attempt), renew(attempt)]);
    return [address ?? parseAddress(given), isOffered ? [SUBPROTOCOL] : []];
  }

  async function renew(attempt) {
    if (!isProvider(token)) return;
    const number = (asked += 1);
    const given = await token(attempt);
    // One that comes late does not replace that of a later attempt.
    if (number === asked) credentials = given;
  }

  const values = readValues(options);
  values[code.OPTION_SENDS_PINGS] = 1;
  values[code.OPTION_ASKS_APPLICATION] = 0;
  values[code.OPTION_RENEWS_CREDENTIALS] = isProvider(url) || isProvider(token);
  const begin = (...given) => {
    [wasm, core] = given;
    for (const task of early.splice(0)) task();
  };
  const machine = createMachine(WebSocket, provide, values, headers.ping, own, receive, begin, fail);
  machine.link.binaryType = "arraybuffer";

  /** Calls it once there is a core, or once the client is over. */
  const run = (task) => (over || machine.operands ? task() : early.push(task));

  /** The same, unless the client is over. */
  const runUnlessOver = (task) => run(() => over || task());

  /** Calls it with the entry of a channel, for what reads it. */
  const withEntry = (name, reader, use) =>
    run(() => {
      if (over) return reader.end(over);
      if (!channels.has(name)) channels.set(name, new Entry(name, subscriptions));
      use(channels.get(name));
    });

  /** Has the core accept a publish or a request. Returns a function that cancels it. */
  function exchange(what, time, one) {
    let id;
    run(() => {
      const { name, key = "", payload = "", reject } = one;
      machine.now = performance.now();
      const size = HEADER + byteLength(name) + byteLength(key) + byteLength(payload);
      id = over ? -code.REFUSAL_CLOSED : machine.call("enqueue", machine.now, size, time, what === "request");
      const word = code.REFUSALS[-id] ?? "closed";
      if (id > 0) pending.set(id, { ...one, what });
      else reject(new EverError(word, `The ${what} was not accepted: ${word}.`));
      machine.act();
    });
    return () => runUnlessOver(() => machine.handle(code.INPUT_CANCEL, id));
  }

  const session = {
    closed: new Promise((resolve) => (ended = resolve)),
    state: "connecting",
    /** The id of the session. */
    session: undefined,

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
    unsubscribe: (reader) => runUnlessOver(() => reader.entry?.remove(reader)),
    watch: (name, watcher) => withEntry(name, watcher, (entry) => entry.watch(watcher)),
    unwatch: (name, watcher) => runUnlessOver(() => channels.get(name)?.unwatch(watcher)),
    exchange,
    reconnect: () => runUnlessOver(() => machine.handle(code.INPUT_RECONNECT)),

    close() {
      if (over) return;
      if (machine.operands) return machine.handle(code.INPUT_END, code.OVER_CLOSED);
      over = new EverError("closed", "The client was closed.");
      end();
      finish();
    },
  };

  machine.start(() => !over);
  return session;
}

/** The statistics by their names. Those of the session come after those of the connection. */
function namedStats(values) {
  const [pending, pendingBytes] = values.slice(code.STAT_CLOCK_OFFSET + 1);
  return { ...statsOf(values.slice(0, code.STAT_CLOCK_OFFSET)), pending, pendingBytes };
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
