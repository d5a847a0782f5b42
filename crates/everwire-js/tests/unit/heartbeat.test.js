import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { heartbeatOf } from "../../js/heartbeat.js";

const vectors = JSON.parse(readFileSync(new URL("../../../everwire-core/tests/vectors/ping.json", import.meta.url), "utf8"));
const { ping, read } = heartbeatOf();

test("a ping is written as the core writes it", () => {
  for (const { number, text } of vectors.pings) assert.equal(ping(number), text);
});

test("an answer is read as the core reads it", () => {
  for (const { number, time, text } of [...vectors.pings, ...vectors.pongs, ...vectors.answers]) {
    assert.deepEqual(read(text), [number, time ?? 0], text);
  }
});

test("a message that is no answer to the core is none", () => {
  for (const text of vectors["no answers"]) assert.equal(read(text), undefined, text);
});

test("bytes are no answer", () => {
  assert.equal(read(new TextEncoder().encode('{"pong":1}').buffer), undefined);
});
