// The lines of everwire.v1, as docs/protocol.md specifies them. The grammar is that of `everwire_core::protocol`, and is tested with the
// same vectors.
import { ERROR_CODES, FATAL_CODES, GAP_REASONS } from "../../build/codes.js";
import { byteLength } from "../arguments.js";

/** Separates the lines of a text message. */
const SEPARATOR = "\x1e";
const MAX_HEADER = 1024;
const MAX_NAME = 128;
/** The most bytes before a header in a binary message: a plus sign, the kind, the size and a space. */
const MAX_SIZE_WORD = 19;
const LINE_FEED = 10;

const CONTROL = /[\0-\x1f\x7f-\x9f]/;
const TYPE = /^[a-z\d-]{1,32}$/;
const ID = /^[\w-]{1,64}$/;

/** Whether a text can name a channel, a request or a key. */
export const isName = (text) => /^[^\0- \x7f-\x9f]+$/.test(text) && byteLength(text) <= MAX_NAME;

const unless = (isWrong, value) => (isWrong ? undefined : value);
const big = (word) => (/^(0|[1-9]\d{0,19})$/.test(word) ? unless(BigInt(word) >> 64n, BigInt(word)) : undefined);
const number = (word) => unless(!Number.isSafeInteger(+word) || big(word) === undefined, +word);
const id = (word) => unless(!ID.test(word), word);
const placeIn = (list) => (word) => unless(!list.includes(word), list.indexOf(word));
const equal = (expected) => (word) => unless(word !== expected, true);

/** What the words of a header are read as; `undefined` for one that is not allowed. Kinds are named like the words of the specification. */
export const kinds = {
  number,
  seq: (word) => number(word) || undefined,
  big,
  id,
  name: (word) => unless(!isName(word), word),
  /** Epoch, offset and time. */
  cursor(word) {
    const [, epoch = "", offset, time] = /^(0|[1-9a-f][\da-f]{0,15})\.(\d+)\.(\d+)$/.exec(word) ?? [];
    const cursor = [BigInt(`0x${epoch || 0}`), big(offset), big(time)];
    return unless(number(time) === undefined || cursor.includes(undefined), cursor);
  },
  /** The session alone: its number is of no use here. */
  by(word) {
    const [session, seq, more] = word.split(":");
    return unless(more !== undefined || !kinds.seq(seq), id(session));
  },
  code: placeIn(ERROR_CODES),
  reason: placeIn(GAP_REASONS),
  type: (word) => unless(!TYPE.test(word), word),
  flag: equal("1"),
  kept: equal("kept"),
  req: equal("req"),
};

/**
 * The lines of a server in the order of the core's inputs: arguments, then options, of which those with an exclamation mark are always there.
 * The first words are the arguments of the input, in this order.
 */
const SERVER = {
  __proto__: null,
  welcome:
    "session:id acked=number! requests=kept credits=number! message=number! heartbeat=number! generation=seq! time=number! subscriptions=number! expires=number! secret=id",
  subscribed: "channel:name cursor:cursor",
  msg: "channel:name cursor:cursor by=by key=name after=big",
  gap: "channel:name reason:reason cursor:cursor missed=number",
  pos: "channel:name cursor:cursor live=flag",
  unsub: "channel:name code:code",
  ack: "seq:seq cursor:cursor",
  nack: "seq:seq code:code of=req",
  res: "seq:seq part:number more=flag",
  presence: "channel:name members:number",
  join: "channel:name session:id",
  leave: "channel:name session:id",
  credits: "credits:number",
  pong: "number:number time:number",
  drain: "deadline=number! spread=number!",
  error: "code:code fatal=flag line=type retry=number",
  bye: "code:code",
};

/** The types of lines, and the errors of those that are none, in the order of the core's inputs. */
export const LINES = [...Object.keys(SERVER), "unknown-line", "malformed"];

/** Reads a header: an object of its `type` and its words by their names, in the grammar's order; with an `error` if it is refused. */
export function readHeader(header, grammar = SERVER, known = kinds) {
  const words = header.split(" ");
  const type = kinds.type(words[0]);
  const malformed = { type, error: "malformed" };
  if (!type || CONTROL.test(header) || words.includes("") || byteLength(header) > MAX_HEADER) return malformed;
  if (!grammar[type]) return { type, error: "unknown-line" };
  const line = { type };
  const options = { __proto__: null };
  let place = 1;
  for (const [, name, mark, kind, required] of grammar[type].matchAll(/(\w+)(.)(\w+)(!?)/g)) {
    if (mark === "=") {
      options[name] = [kind, required];
      line[name] = undefined;
    } else if ((line[name] = known[kind](words[place++] ?? "")) === undefined) return malformed;
  }
  for (const word of words.slice(place)) {
    const [, name, value] = /^([a-z\d-]{1,32})=(.+)$/.exec(word) ?? [];
    const [kind] = options[name] ?? [];
    // An option that is not known is ignored; one that is known occurs once.
    if (!name || (kind && (line[name] !== undefined || (line[name] = known[kind](value)) === undefined))) return malformed;
  }
  for (const name in options) if (options[name][1] && line[name] === undefined) return malformed;
  const { after, cursor, fatal, code } = line;
  const isWrong = (type === "msg" && (after ?? 0n) >= cursor[1]) || (fatal && code >= FATAL_CODES);
  return isWrong ? malformed : line;
}

/**
 * Reads a WebSocket message: calls `take(line, payload)` for each line, the last one that is malformed. `message(text, from, to)` sees the
 * lines of a text first, and returns whether it has taken one.
 */
export function readMessage(data, take, message = () => false, grammar = SERVER, known = kinds) {
  if (typeof data !== "string") return readBinary(new Uint8Array(data), take, grammar, known);
  for (let from = 0, to; from <= data.length; from = to + 1) {
    to = data.indexOf(SEPARATOR, from);
    if (to < 0) to = data.length;
    if (message(data, from, to)) continue;
    const text = data.slice(from, to);
    const feed = text.indexOf("\n");
    const line = feed < 0 ? [text] : [text.slice(0, feed), text.slice(feed + 1)];
    if (!read(take, grammar, known, ...line)) return;
  }
}

/** Hands over a line, and returns whether others may follow. */
function read(take, grammar, known, header, payload) {
  const line = readHeader(header, grammar, known);
  take(line, payload);
  return line.error !== "malformed";
}

function readBinary(bytes, take, grammar, known) {
  let at = 0;
  do {
    const feed = bytes.subarray(0, at + MAX_SIZE_WORD + MAX_HEADER + 1).indexOf(LINE_FEED, at);
    let header = feed < 0 ? "" : decoded(bytes.subarray(at, feed));
    at = feed + 1;
    let payload;
    if (header?.startsWith("+")) {
      const [size, ...words] = header.split(" ");
      const length = number(size.slice(2));
      payload = bytes.subarray(at, (at += length));
      const isText = size[1] === "t";
      // A header that is malformed by its end is refused with the type of the line.
      header = words.join(" ") + (/^\+[bt]/.test(size) && payload.length === length ? "" : " ");
      if (isText && (payload = decoded(payload)) === undefined) header += " ";
    }
    if (!read(take, grammar, known, header ?? "", payload)) return;
  } while (at < bytes.length);
}

function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A header of words and of options, in an object, of which those are left out that are `undefined` or not a number. */
const header = (...words) =>
  words
    .flatMap((word) =>
      typeof word === "object" ? Object.entries(word).flatMap(([name, value]) => (value === undefined || value !== value ? [] : `${name}=${value}`)) : word,
    )
    .join(" ");

/** The lines of a client. */
export const headers = {
  hello: (attempt, identity, acked, floor, closed) =>
    header("hello", { attempt, ...identity, acked: acked || undefined, floor: unless(floor < 2, floor), closed: closed || undefined }),
  sub: (channel, start, isLatest, hasPresence) =>
    header("sub", channel, start, { mode: unless(!isLatest, "latest"), presence: unless(!hasPresence, 1) }),
  unsub: (channel) => header("unsub", channel),
  pub: (channel, seq, after, key) => header("pub", channel, seq, { after, key }),
  req: (name, seq, timeout, floor, part) =>
    header("req", name, seq, { timeout: Math.floor(timeout), floor: unless(floor < 2, floor), part: part || undefined }),
  cancel: (seq, of) => header("cancel", seq, { of }),
  ping: (number) => header("ping", number),
  bye: () => "bye",
  error: (code, line) => header("error", code, { line }),
};

/** Packs lines into as few WebSocket messages as their order allows, each up to so many bytes. */
export class MessageWriter {
  maxBytes = Infinity;
  #messages = [];

  push(header, payload) {
    const isText = payload === undefined || (typeof payload === "string" && !payload.includes(SEPARATOR));
    let last = this.#messages.at(-1);
    // An upper bound: the characters of a text have at most three bytes each.
    const size = 3 * header.length + (payload?.byteLength ?? 3 * (payload?.length ?? 0)) + MAX_SIZE_WORD + 2;
    if (!last || (!last.parts && !isText) || last.size + size > this.maxBytes) {
      last = { size: 0, text: "", parts: unless(isText, []) };
      this.#messages.push(last);
    }
    const text = payload === undefined ? header : `${header}\n${payload}`;
    if (!last.parts) last.text += (last.size ? SEPARATOR : "") + text;
    else if (payload === undefined) last.parts.push(encoded(`${header}\n`));
    else {
      const bytes = typeof payload === "string" ? encoded(payload) : payload;
      last.parts.push(encoded(`+${typeof payload === "string" ? "t" : "b"}${bytes.length} ${header}\n`), bytes);
    }
    last.size += size;
  }

  /** Takes the messages to send. */
  take() {
    return this.#messages.splice(0).map(({ text, parts }) => (parts ? joined(parts) : text));
  }
}

const encoded = (text) => new TextEncoder().encode(text);

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
