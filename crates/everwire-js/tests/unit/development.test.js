import assert from "node:assert/strict";
import { test } from "node:test";

import { setChecks } from "../../js/checks.js";
import { development } from "../../js/development.js";
import { attached, FakeSocket } from "./support/fake-server.js";
import { EverClient } from "../../js/client.js";

setChecks(development);

const make = (options) => () => new EverClient("/", { WebSocket: FakeSocket, ...options });

test("a build for development refuses slips in the options of a client with a sentence that helps", () => {
  for (const [options, sentence] of [
    [{ tokn: "t" }, /There is no option tokn: write token\./],
    [{ max: 3 }, /There is no option max: the names are backoff, outbox,/],
    [{ heartbeat: true }, /the server says how often it wants pings/],
    [{ outbox: { whenFull: "drop-oldest" } }, /rejected with the code full/],
    [{ outbox: { maxMessage: 1 } }, /There is no option outbox\.maxMessage/],
    [{ token: 7 }, /token has to be a text, bytes or a function/],
    [{ debug: 1 }, /debug has to be true or false/],
  ]) {
    assert.throws(make(options), sentence, JSON.stringify(options));
  }
  assert.throws(() => new EverClient(Promise.resolve("/")), /pass the function that makes it/);
});

test("a build for development refuses slips in the options of a call", async () => {
  const { client } = await attached({ token: () => "t" });
  assert.throws(() => client.subscribe("chat", { form: "9f.1.1" }), /There is no option form: the names are from, last,/);
  assert.throws(() => client.subscribe("chat", { last: 1, state: true }), /leave out state/);
  assert.throws(() => client.subscribe("chat", 20), /such as subscribe\(channel, \{ last: 20 \}\)/);
  assert.throws(() => client.subscribe("chat", { snapshot: [] }), /snapshot has to be a function/);
  await assert.rejects(client.publish("chat", 1, { ttl: 5 }), /There is no option ttl: write timeToLive\./);
  assert.throws(() => client.request("now", null, { timeout: "5s" }), /timeout has to be a number/);
  client.subscribe("chat", { last: 20, conflate: true, maxWaiting: 5 });
  client.subscribe("prices", { from: "9f.1.1", state: true });
  client.close();
});
