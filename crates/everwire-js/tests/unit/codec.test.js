import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as code from "../../build/codes.js";
import { headers, kinds, LINES, MessageWriter, readMessage } from "../../js/client/codec.js";

const vectors = JSON.parse(readFileSync(new URL("../../../everwire-core/tests/vectors/protocol.json", import.meta.url), "utf8"));

/** The lines of a client, which the package writes and never reads: the reader is tried with them all the same. */
const CLIENT = {
  __proto__: null,
  hello: "attempt=number! session=id secret=id acked=number floor=seq closed=close",
  sub: "channel:name start:start mode=latest presence=flag",
  unsub: "channel:name",
  pub: "channel:name seq:seq after=number key=name",
  req: "name:name seq:seq timeout=number floor=seq part=number",
  cancel: "seq:seq of=id",
  ping: "number:number",
  bye: " ",
  error: "code:code line=type",
};

const bytesOf = (characters) => Uint8Array.from(characters, (character) => character.charCodeAt(0));
const messageOf = ({ text, binary }) => text ?? bytesOf(binary).buffer;

const cursorText = ([epoch, offset, time]) => `${epoch.toString(16)}.${offset}.${time}`;

/** The kinds of the package, and the words that only a client writes. */
const clientKinds = {
  ...kinds,
  close: (word) => (/^[1-4]\d{3}$/.test(word) ? +word : undefined),
  latest: (word) => word === "latest" || undefined,
  start(word) {
    const [, start, value] = /^(last|from):(.+)$/.exec(word) ?? [];
    const read = { last: kinds.number, from: kinds.cursor }[start];
    return ["live", "hold", "state"].includes(word) || read?.(value) !== undefined ? word : undefined;
  },
};

function linesOf(from, data) {
  const items = [];
  const take = (line, payload) => items.push([line, payload]);
  if (from === "server") readMessage(data, take);
  else readMessage(data, (line, payload) => take(checked(line), payload), undefined, CLIENT, clientKinds);
  return items;
}

/** What holds for several words of a client's line. */
function checked(line) {
  const { type, session, secret, seq, after } = line;
  return (session === undefined) !== (secret === undefined) || after >= seq ? { type, error: "malformed" } : line;
}

/** A line as the vectors have it. */
function describe(from, { type, error, ...fields }, payload) {
  if (error) return { error, line: type ?? null };
  const item = { line: type, ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) };
  if (fields.cursor) item.cursor = cursorText(fields.cursor);
  if (typeof fields.code === "number") item.code = code.ERROR_CODES[fields.code];
  if (typeof fields.reason === "number") item.reason = code.GAP_REASONS[fields.reason];
  if (typeof payload === "string") item.payload = { text: payload };
  else if (payload) item.payload = { binary: String.fromCharCode(...payload) };
  if (from === "client") {
    if (type === "hello") Object.assign(item, { acked: fields.acked ?? 0, floor: fields.floor ?? 1 });
    if (type === "sub") Object.assign(item, { latest: !!fields.mode, presence: !!fields.presence });
    if (type === "pub") item.after = fields.after ?? fields.seq - 1;
    if (type === "req") Object.assign(item, { floor: fields.floor ?? 1, part: fields.part ?? 0 });
    delete item.mode;
  }
  if (from === "server") {
    if (type === "msg") item.after = `${fields.after ?? fields.cursor[1] - 1n}`;
    if (type === "pos") item.live = !!fields.live;
    if (type === "res") item.more = !!fields.more;
    if (type === "nack") item.of = fields.of ? "req" : "pub";
    if (type === "error") item.fatal = !!fields.fatal;
    if (type === "welcome") item.requests_kept = !!fields.requests;
    delete item.requests;
  }
  if (type === "error") {
    if (fields.line) item.line_type = fields.line;
    item.line = type;
  }
  return item;
}

/** What the vectors have of a message's author, of which the package reads the session. */
const withoutNumberOfAuthor = (item) => (item.by ? { ...item, by: item.by.split(":")[0] } : item);

/** The header of a line of the vectors, as the package writes it. */
function headerOf(item) {
  const { attempt, session, secret, acked, floor, closed, channel, start, latest, presence } = item;
  const { seq, after, key, name, timeout, part, of, number, code, line_type } = item;
  switch (item.line) {
    case "hello":
      return headers.hello(attempt, session && { session, secret }, acked, floor, closed);
    case "sub":
      return headers.sub(channel, start, latest, presence);
    case "unsub":
      return headers.unsub(channel);
    case "pub":
      return headers.pub(channel, seq, after === seq - 1 ? undefined : after, key);
    case "req":
      return headers.req(name, seq, timeout, floor, part);
    case "cancel":
      return headers.cancel(seq, of);
    case "ping":
      return headers.ping(number);
    case "error":
      return headers.error(code, line_type);
    default:
      return headers[item.line]();
  }
}

const payloadOf = ({ payload }) => payload && (payload.text ?? bytesOf(payload.binary));

test("what is written is read with each field", () => {
  for (const { from, items, ...message } of vectors.written) {
    const read = linesOf(from, messageOf(message)).map(([line, payload]) => describe(from, line, payload));
    assert.deepEqual(read, items.map(withoutNumberOfAuthor), JSON.stringify(message));
  }
});

test("what others may write is read too", () => {
  for (const { from, items, ...message } of vectors.tolerated) {
    const read = linesOf(from, messageOf(message)).map(([line, payload]) => describe(from, line, payload));
    assert.deepEqual(read, items.map(withoutNumberOfAuthor), JSON.stringify(message));
  }
});

test("what the grammar forbids is malformed and names the line", () => {
  let count = 0;
  for (const { from, line, text = [], binary = [] } of vectors.malformed) {
    for (const message of [...text, ...binary.map((characters) => bytesOf(characters).buffer)]) {
      const read = linesOf(from, message).map(([line]) => line);
      assert.deepEqual(read, [{ type: line ?? undefined, error: "malformed" }], JSON.stringify(message));
      count += 1;
    }
  }
  assert.ok(count > 250, `${count} messages are malformed`);
});

test("the lines of a client are written as the core writes them", () => {
  for (const { from, items, text, binary } of vectors.written.filter(({ from }) => from === "client")) {
    const writer = new MessageWriter();
    for (const item of items) writer.push(headerOf(item), payloadOf(item));
    const expected = text ?? bytesOf(binary);
    assert.deepEqual(writer.take(), [expected], JSON.stringify({ from, text, binary }));
  }
});

test("the core has an input for each line, in the order of the grammar", () => {
  const names = LINES.map((line) => (line === "unknown-line" ? "UNKNOWN" : line.toUpperCase()));
  const inputs = names.map((name) => code[`INPUT_LINE_${name}`]);
  assert.deepEqual(inputs, names.map((_, place) => code.INPUT_LINE_WELCOME + place));
});
