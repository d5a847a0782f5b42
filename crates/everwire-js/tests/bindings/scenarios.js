// What components of any framework do with a client and its channels.
import assert from "node:assert/strict";

import { EverClient } from "everwire/client";
import * as support from "./support.js";
import { address, backoff, numbers, sent, server, subscribes, texts, until } from "./support.js";

/** Another client, as that of someone else. */
const other = new EverClient(address, { backoff });
const publish = (channel, values) => Promise.all(values.map((value) => other.publish(channel, value)));
const valuesOf = (items) => items.filter(({ type }) => type === "message").map(({ value }) => value);
const typesOf = (items) => items.filter(({ type }) => type !== "message").map(({ type }) => type);

/**
 * The scenarios for a framework: `show(page)` draws a page with a client, with components that use `channels` and `presences`, and an empty
 * one for `null`. What they have returned last is in `returned`, by their names.
 */
export function scenariosOf({ show, returned }) {
  /** Publishes a first message, so that a subscription which starts with the next one is known to be there. */
  async function subscribed(channel, items) {
    await until(() => returned.client?.state === "attached" && subscribes(channel));
    await publish(channel, ["first"]);
    await until(() => valuesOf(items).includes("first"));
    items.length = 0;
  }

  const scenarios = {
    async burst(channel) {
      const before = support.connections;
      const items = [];
      show({ channels: [{ channel, items, options: { keep: 2_000 } }] });
      await subscribed(channel, items);
      const values = numbers(1_000);
      await publish(channel, values);
      await until(() => valuesOf(items).length >= 1_000);
      assert.deepEqual(valuesOf(items), values);
      await until(() => texts("li").length >= 1_001);
      assert.deepEqual(texts("li"), ["first", ...values.map(String)]);
      assert.deepEqual([subscribes(channel), support.connections - before], [1, 1]);
    },

    async remount(channel) {
      const items = [];
      const page = (isShown) => show({ channels: isShown ? [{ channel, items }] : [] });
      page(true);
      await subscribed(channel, items);
      await publish(channel, numbers(10));
      await until(() => texts("li").length === 11);
      page(false);
      await until(() => texts("ul").length === 0);
      await publish(channel, numbers(10, 10));
      page(true);
      await until(() => texts("ul").length);
      assert.deepEqual(texts("li").slice(0, 11), ["first", ...numbers(10).map(String)], "it does not begin empty");
      await publish(channel, numbers(10, 20));
      await until(() => items.length >= 30);
      assert.deepEqual(valuesOf(items), numbers(30));
      await until(() => texts("li").length >= 31);
      assert.deepEqual(texts("li"), ["first", ...numbers(30).map(String)]);
      assert.deepEqual([subscribes(channel), sent.includes(`unsub ${channel}`)], [1, false]);
    },

    async full(channel) {
      const items = [];
      const page = (isShown) => show({ channels: isShown ? [{ channel, items, options: { keep: 0, grace: 60_000 } }] : [] });
      page(true);
      await subscribed(channel, items);
      page(false);
      await until(() => texts("ul").length === 0);
      await publish(channel, numbers(750));
      await publish(channel, numbers(750, 750));
      await until(() => sent.includes(`unsub ${channel}`));
      page(true);
      await until(() => items.length > 1_500);
      assert.deepEqual(valuesOf(items), numbers(1_500));
      assert.deepEqual([typesOf(items), subscribes(channel)], [["caught-up"], 2]);
    },

    async ended(channel) {
      const items = [];
      const page = (isShown) => show({ channels: isShown ? [{ channel, items, options: { grace: 0 } }] : [] });
      page(true);
      await subscribed(channel, items);
      page(false);
      await until(() => sent.includes(`unsub ${channel}`));
      await publish(channel, [1]);
      page(true);
      await until(() => subscribes(channel) === 2);
      // It is sent after the subscription, on the same connection.
      await returned.client.publish(channel, 2);
      await until(() => texts("li").length);
      assert.deepEqual([texts("li"), valuesOf(items)], [["2"], [2]]);
    },

    /** Of frameworks that hide a component with its state: it is unmounted, and is the same one when it is shown again. */
    async hidden(channel) {
      const items = [];
      const page = (isHidden) => show({ isHidden, channels: [{ channel, items, options: { grace: 0 } }] });
      page(false);
      await subscribed(channel, items);
      page(true);
      await until(() => sent.includes(`unsub ${channel}`));
      await publish(channel, numbers(10));
      page(false);
      await until(() => valuesOf(items).length >= 10);
      assert.deepEqual([valuesOf(items), subscribes(channel)], [numbers(10), 2]);
      await until(() => texts("li").length >= 11);
      assert.deepEqual(texts("li"), ["first", ...numbers(10).map(String)]);
    },

    async shared(channel) {
      const [one, two] = [[], []];
      show({
        channels: [
          { channel, items: one, name: "one" },
          { channel, items: two, name: "two" },
        ],
      });
      await subscribed(channel, one);
      await publish(channel, numbers(20));
      await until(() => one.length >= 20 && two.length >= 21);
      assert.deepEqual([valuesOf(one), valuesOf(two)], [numbers(20), ["first", ...numbers(20)]]);
      await until(() => texts(".one").length === 21 && texts(".two").length === 21);
      assert.equal(subscribes(channel), 1);
    },

    async another(channel) {
      const items = [];
      const page = (channel) => show({ channels: [{ channel, items, name: "some", options: { last: 10 } }] });
      const [a, b] = [`${channel}/a`, `${channel}/b`];
      await publish(a, ["a1", "a2"]);
      await publish(b, ["b1"]);
      page(a);
      await until(() => texts("li").join() === "a1,a2");
      page(b);
      await until(() => texts("li").join() === "b1");
      assert.deepEqual(valuesOf(items), ["a1", "a2", "b1"]);
      assert.equal((await returned.some.publish("b2")).offset, 2);
      await until(() => texts("li").join() === "b1,b2");
      page(null);
      await until(() => texts("li").length === 0);
      await assert.rejects(returned.some.publish("b3"), { name: "EverError", code: "closed" });
    },

    async state(channel) {
      const set = (key, value) => other.publish(channel, value, { key });
      await set("MSFT", 1);
      await set("AAPL", 2);
      await set("MSFT", 3);
      show({ channels: [{ channel, name: "prices", options: { state: true } }] });
      await until(() => texts("li").join() === "3,2" || texts("li").join() === "2,3");
      await until(() => returned.prices.hasCaughtUp);
      await set("AAPL", 4);
      await set("TSLA", 5);
      await other.remove(channel, "MSFT");
      await until(() => texts("li").join() === "4,5");
    },

    async snapshot(channel) {
      await publish(channel, [1, 2]);
      show({ channels: [{ channel, name: "orders", options: { snapshot: async () => [1, 2] } }] });
      await until(() => returned.orders?.snapshot);
      await publish(channel, [3]);
      await until(() => texts("li").join() === "3");
      assert.deepEqual(returned.orders.snapshot, [1, 2]);
    },

    async presence(channel) {
      const page = (...names) => show({ presences: names.map((name) => ({ name, channel })) });
      page("one", "two");
      await until(() => texts("p").join() === "1,1");
      assert.deepEqual(returned.one.members.map(({ session }) => session), [returned.client.session]);
      const changes = [];
      const room = other.presence(channel);
      room.addEventListener("change", ({ members }) => changes.push(members.length));
      await until(() => texts("p").join() === "2,2");
      const before = subscribes(channel);
      page();
      await until(() => texts("p").length === 0);
      page("one");
      await until(() => texts("p").join() === "2");
      room.close();
      await until(() => texts("p").join() === "1");
      assert.deepEqual([changes, subscribes(channel)], [[2], before]);
    },

    async refused() {
      // The log is for those of a server with `--monitor`, and what the server publishes has no members.
      show({ channels: [{ channel: "live/log", name: "denied" }], presences: [{ channel: "live/news", name: "members" }] });
      await until(() => returned.denied?.error && returned.members?.error);
      assert.deepEqual([returned.denied.error.refusal, returned.members.error.refusal], ["denied", "denied"]);
      await assert.rejects(returned.denied.publish(1), { code: "refused", refusal: "denied" });
    },

    async client() {
      const before = support.connections;
      const tokens = [];
      const page = (url, name) => {
        const token = async () => {
          tokens.push(name);
          return (await (await fetch(`${process.argv[2]}/token?name=${name}`)).json()).token;
        };
        show({ url, label: name, options: { backoff, token } });
      };
      page(null, "a");
      await until(() => texts("output").join() === "a no client");
      page(() => address, "b");
      await until(() => texts("output").join() === "b attached");
      const { client } = returned;
      page(() => address, "c");
      await until(() => texts("output").join() === "c attached");
      assert.equal(returned.client, client, "every function is the same address");
      client.reconnect();
      await until(() => tokens.length === 2 && client.state === "attached");
      assert.deepEqual(tokens, ["b", "c"]);
      page(`${address}?another`, "d");
      assert.equal((await client.closed).code, "closed");
      await until(() => returned.client !== client && returned.client?.state === "attached");
      const last = returned.client;
      show(null);
      assert.equal((await last.closed).code, "closed");
      assert.equal(support.connections - before, 3);
    },

    async connecting() {
      let ready = Promise.resolve();
      const url = () => ready.then(() => address);
      show({ url, label: "it is" });
      await until(() => texts("output").join() === "it is attached");
      let resume;
      ready = new Promise((resolve) => (resume = resolve));
      returned.client.reconnect();
      await until(() => texts("output").join() === "it is connecting");
      resume();
      await until(() => texts("output").join() === "it is attached");
    },

    async killed(channel) {
      const items = [];
      show({ channels: [{ channel, items }] });
      await subscribed(channel, items);
      await publish(channel, numbers(20));
      await server("kill");
      await until(() => texts("output").join().includes("waiting"));
      const published = [...numbers(10, 20).map((value) => other.publish(channel, value)), returned[channel].publish("own")];
      await server("restart");
      await Promise.all(published);
      await publish(channel, ["last"]);
      await until(() => valuesOf(items).includes("last"));
      const values = valuesOf(items);
      assert.deepEqual(values.filter((value) => value !== "own"), [...numbers(30), "last"]);
      assert.deepEqual([values.length, typesOf(items).filter((type) => type === "gap")], [32, []]);
    },

    async gap(channel) {
      const items = [];
      const prices = `${channel}/prices`;
      await other.publish(prices, "old", { key: "MSFT" });
      await other.publish(prices, "old", { key: "gone" });
      show({
        channels: [
          { channel, items, name: "chat" },
          { channel: prices, name: "prices", options: { state: true } },
        ],
      });
      await subscribed(channel, items);
      await until(() => texts(".prices").length === 2);
      // One that the framework has no part in, and that comes back when the state is another one.
      const never = 1e9;
      const late = new EverClient(address, { backoff: { floor: 10, first: never, quick: never, max: never, quickAfterSilence: never } });
      const read = [];
      const reading = (async () => {
        for await (const { type, key, value } of late.subscribe(prices, { state: true })) read.push([type, key, value].join(" ").trim());
      })();
      await until(() => read.includes("caught-up"));
      assert.deepEqual(read.splice(0), ["message MSFT old", "message gone old", "caught-up"]);
      await server("kill");
      await server("forget");
      await server("restart");
      await other.publish(prices, "new", { key: "MSFT" });
      await until(() => late.state === "waiting");
      late.reconnect();
      await until(() => read.includes("caught-up"));
      assert.deepEqual(read, ["gap", "message MSFT new", "caught-up"]);
      late.close();
      await reading;
      await until(() => returned.chat.gap);
      assert.equal(returned.chat.gap.reason, "rewritten");
      assert.deepEqual(texts(".chat"), ["first"], "what was before the gap stays");
      await until(() => texts(".prices").join() === "new");
    },
  };

  /** Each begins and ends with an empty page. */
  const alone = (scenario) => async (channel) => {
    await scenario(channel);
    show(null);
    await until(() => texts("output").length === 0);
  };
  return Object.fromEntries(Object.entries(scenarios).map(([name, scenario]) => [name, alone(scenario)]));
}
