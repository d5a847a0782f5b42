import assert from "node:assert/strict";
import { test as plainTest } from "node:test";

import { trapped } from "../../js/module.js";
import { attached, connect, settled, take } from "./support/fake-server.js";

/** A test that hangs has failed. */
const test = (name, run) => plainTest(name, { timeout: 5_000 }, run);

/** The values of so many items, or their types where they have none. */
const values = async (subscription, count) => (await take(subscription, count)).map(({ type, value }) => value ?? type);

test("hello and the subscriptions travel in one message before the welcome", async () => {
  const { client, socket: next } = connect({ token: "t0ken" });
  const chat = client.subscribe("chat", { last: 2 });
  const socket = await next();
  assert.deepEqual(socket.offered, ["everwire.v1"]);
  socket.open();
  assert.deepEqual(await socket.sent(), ["hello attempt=0\nt0ken", "sub chat last:2"]);
  socket.welcome();
  socket.receive("subscribed chat 9f.15.1", 'msg chat 9f.16.2\n{"text":"hi"}', 'msg chat 9f.17.3 by=x8Lw:4 key=k\n"hello"');
  socket.receive("msg chat 9f.18.4 by=me:1\n[1]", "pos chat 9f.18.4 live=1");
  const [first, second, third, live] = await take(chat, 4);
  assert.deepEqual({ ...first }, { type: "message", value: { text: "hi" }, epoch: "9f", offset: 16, time: 2, key: undefined, by: undefined, isOwn: false, size: 13 });
  assert.equal(first.cursor, "9f.16.2");
  assert.deepEqual([second.value, second.by, second.key, second.isOwn], ["hello", "x8Lw", "k", false]);
  assert.deepEqual([third.value, third.isOwn], [[1], true]);
  assert.deepEqual(live, { type: "caught-up" });
  assert.equal(chat.cursor, "9f.18.4");
  client.close();
  assert.deepEqual(await socket.sent(), ["bye"]);
  assert.equal((await client.closed).code, "closed");
  assert.deepEqual(await take(chat, 1), [undefined]);
});

test("a publish is sent again on the next connection until it is answered", async () => {
  const { client, socket, next } = await attached();
  const published = client.publish("chat", { text: "hello" });
  const removed = client.remove("chat", "k");
  assert.deepEqual(await socket.sent(), ['pub chat 1\n{"text":"hello"}', "pub chat 2 key=k"]);
  socket.receive("ack 1 9f.18.1795219200100");
  assert.deepEqual(await published, { offset: 18, cursor: "9f.18.1795219200100" });
  socket.cut();
  const other = await next(socket);
  other.open();
  assert.deepEqual(await other.sent(), ["hello attempt=1 session=me secret=s3cret acked=1 closed=1006"]);
  other.welcome("acked=1");
  assert.deepEqual(await other.sent(), ["pub chat 2 key=k"]);
  other.receive("nack 2 denied\nnot yours");
  const error = await removed.catch((error) => error);
  assert.deepEqual([error.name, error.code, error.refusal, error.reason], ["EverError", "refused", "denied", "not yours"]);
  client.close();
});

test("what was sent in a session that is lost has the fate unknown, and what was not is sent in the next", async () => {
  const { client, socket, next } = await attached();
  const sent = client.publish("chat", 1).catch((error) => error.code);
  const asked = client.request("report").catch((error) => error.code);
  assert.deepEqual(await socket.sent(), ["pub chat 1\n1", "req report 1\nnull"]);
  socket.cut();
  const later = client.publish("chat", 2);
  const other = await next(socket);
  other.open();
  other.welcome("acked=0 secret=other", "you");
  assert.deepEqual([await sent, await asked], ["unknown", "unknown"]);
  const [, publish] = await other.sent();
  assert.equal(publish, "pub chat 1\n2");
  other.receive("ack 1 9f.3.1");
  assert.equal((await later).offset, 3);
  assert.equal(client.session, "you");
  client.close();
});

test("a publish that waits for longer than its time to live expires, and one that is too large is refused", async () => {
  const { client } = connect();
  const error = await client.publish("chat", 1, { timeToLive: 0 }).catch((error) => error);
  assert.equal(error.code, "expired");
  client.close();
  const { client: other } = await attached();
  const large = await other.publish("chat", "x".repeat(2_000_000)).catch((error) => error);
  assert.equal(large.code, "too-large");
  other.close();
  await assert.rejects(other.publish("chat", 1), { code: "closed" });
  await assert.rejects(other.publish("no name", 1), TypeError);
});

test("a request is answered by its value, by several parts, or by an error", async () => {
  const { client, socket } = await attached();
  const one = client.request("now", undefined, { timeout: 5_000 });
  const several = client.request("list", [1]);
  const refused = client.request("gone").catch((error) => error);
  const [now, list, gone] = await socket.sent();
  assert.match(now, /^req now 1 timeout=(5000|4\d{3})\nnull$/);
  assert.deepEqual([list, gone], ["req list 2\n[1]", "req gone 3\nnull"]);
  socket.receive('res 1 0\n"noon"', "res 2 0 more=1\n1", "res 2 1 more=1\n2", "res 2 2", "nack 3 no-handler of=req\nnothing of this name");
  assert.equal(await one, "noon");
  const parts = [];
  for await (const part of several) parts.push(part);
  assert.deepEqual(parts, [1, 2]);
  const error = await refused;
  assert.deepEqual([error.code, error.refusal, error.reason], ["refused", "no-handler", "nothing of this name"]);
  const both = client.request("list").catch((error) => error.code);
  socket.receive("res 4 0 more=1\n1", "res 4 1\n2");
  assert.equal(await both, "several-parts");
  client.close();
});

test("a request that is aborted is cancelled on the server, and so is one whose loop ends early", async () => {
  const { client, socket } = await attached();
  const controller = new AbortController();
  const aborted = client.request("slow", 1, { signal: controller.signal });
  const loop = client.request("list", 2);
  await socket.sent();
  controller.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  assert.deepEqual(await socket.sent(), ["cancel 1"]);
  socket.receive("res 2 0 more=1\n1");
  for await (const part of loop) {
    assert.equal(part, 1);
    break;
  }
  assert.deepEqual(await socket.sent(), ["cancel 2"]);
  socket.receive("nack 1 cancelled of=req", "nack 2 cancelled of=req");
  assert.equal(client.stats.pending, 0);
  client.close();
});

test("the members of a channel are reported each time that they change", async () => {
  const { client, socket, next } = await attached();
  const room = client.presence("room");
  assert.deepEqual(await socket.sent(), ["sub room hold presence=1"]);
  socket.receive("subscribed room 9f.0.0", "presence room 2", "join room me", 'join room ada\n{"name":"Ada"}');
  const ada = { session: "ada", info: { name: "Ada" } };
  const me = { session: "me", info: undefined };
  assert.deepEqual(await take(room, 1), [[ada, me]]);
  socket.receive("leave room ada", "join room bob\nB", "leave room bob");
  // A slow loop gets the latest list.
  assert.deepEqual(await take(room, 1), [[me]]);
  socket.cut();
  const other = await next(socket);
  other.open();
  other.welcome("acked=0");
  assert.deepEqual((await other.sent()).slice(1), ["sub room hold presence=1"]);
  other.receive("subscribed room 9f.0.0", "presence room 1", "join room me", "join room cy");
  assert.deepEqual((await take(room, 1))[0].map(({ session }) => session), ["cy", "me"]);
  room.close();
  assert.deepEqual(await other.sent(), ["unsub room"]);
  client.close();
});

test("a channel whose members are watched is subscribed to once on each connection, also before the first welcome", async () => {
  const { client, socket: next } = connect();
  client.presence("room");
  let socket;
  // The first connection is lost before the server has answered, the second one after it.
  for (const isAnswered of [false, true, true]) {
    socket = await next(socket);
    socket.open();
    const [, ...subs] = await socket.sent();
    socket.welcome("acked=0 secret=s3cret");
    if (isAnswered) socket.receive("subscribed room 9f.0.0", "presence room 0");
    assert.deepEqual([...subs, ...(await socket.sent())], ["sub room hold presence=1"]);
    socket.cut();
  }
  client.close();
});

test("a gap is an item, after which the snapshot is loaded and the messages go on from there", async () => {
  const { client, socket } = await attached();
  const loads = [];
  const snapshot = (cursor) => new Promise((resolve) => loads.push([cursor, resolve]));
  const chat = client.subscribe("chat", { snapshot });
  await socket.sent();
  socket.receive("subscribed chat 9f.4.1", "msg chat 9f.5.1\n5");
  assert.equal(loads[0][0], "9f.4.1");
  loads[0][1](["1", "4"]);
  const [loaded, five] = await take(chat, 2);
  assert.deepEqual([loaded, five.value], [{ type: "snapshot", value: ["1", "4"], cursor: "9f.4.1" }, 5]);
  socket.receive("gap chat trimmed 9f.9.1 missed=4", "msg chat 9f.10.1\n10");
  assert.deepEqual(await take(chat, 1), [{ type: "gap", reason: "trimmed", missed: 4, cursor: "9f.9.1" }]);
  assert.equal(loads[1][0], "9f.9.1");
  loads[1][1]("all");
  const [again, ten] = await take(chat, 2);
  assert.deepEqual([again.value, ten.value], ["all", 10]);
  client.close();
});

test("a gap while a snapshot is loaded has it loaded again, and what was held back before is in that", async () => {
  const { client, socket } = await attached();
  const loads = [];
  const chat = client.subscribe("chat", { snapshot: (cursor) => new Promise((resolve) => loads.push(() => resolve(cursor))) });
  await socket.sent();
  socket.receive("subscribed chat 9f.4.1", "msg chat 9f.5.1\n5", "gap chat trimmed 9f.9.1", "msg chat 9f.10.1\n10");
  loads[0]();
  await settled();
  loads[1]();
  const items = await take(chat, 3);
  assert.deepEqual(items.map(({ type, value }) => value ?? type), ["gap", "9f.9.1", 10]);
  client.close();
});

test("a reconnect after which the members are the same is not reported", async () => {
  const { client, socket, next } = await attached();
  const lists = [];
  const room = client.presence("room");
  room.addEventListener("change", ({ members }) => lists.push(members.map(({ session }) => session)));
  await socket.sent();
  const list = ["subscribed room 9f.0.0", "presence room 2", "join room me", "join room ada"];
  socket.receive(...list);
  socket.cut();
  const other = await next(socket);
  other.open();
  other.welcome("acked=0");
  await other.sent();
  other.receive(...list, "leave room ada");
  assert.deepEqual(lists, [["ada", "me"], ["me"]]);
  assert.equal(room.members.length, 1);
  client.close();
});

test("the cursor is that of what was taken, also by a loop that waits", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat");
  await socket.sent();
  const waiting = take(chat, 1);
  socket.receive("subscribed chat 9f.4.1");
  assert.equal(chat.cursor, "9f.4.1");
  socket.receive("msg chat 9f.5.1\n5", "msg chat 9f.6.1\n6");
  await waiting;
  assert.equal(chat.cursor, "9f.5.1");
  client.close();
});

test("a snapshot that cannot be loaded ends its subscription with the error", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat", { snapshot: () => Promise.reject(new Error("no database")) });
  socket.receive("subscribed chat 9f.4.1");
  await assert.rejects(take(chat, 1), { message: "no database" });
  assert.deepEqual(await socket.sent(), ["sub chat live", "unsub chat"]);
  client.close();
});

test("a reconnect resumes from the position, and reports that nothing was missed", async () => {
  const { client, socket, next } = await attached();
  const chat = client.subscribe("chat", { from: "9f.4.1" });
  assert.deepEqual(await socket.sent(), ["sub chat from:9f.4.1"]);
  socket.receive("subscribed chat 9f.4.1", "msg chat 9f.5.1\n5", "pos chat 9f.5.1 live=1");
  socket.cut();
  const other = await next(socket);
  other.open();
  other.welcome("acked=0");
  assert.deepEqual((await other.sent()).slice(1), ["sub chat from:9f.5.1"]);
  // A repetition is ignored.
  other.receive("subscribed chat 9f.5.1", "msg chat 9f.5.1\n5", "msg chat 9f.6.1\n6", "pos chat 9f.6.1 live=1");
  const items = await take(chat, 5);
  assert.deepEqual(items.map(({ type, value }) => value ?? type), [5, "caught-up", 6, "resumed", "caught-up"]);
  client.close();
});

test("items are events as well, whose handling commits the cursor", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat");
  const seen = [];
  for (const type of ["message", "removed", "gap", "undecodable", "caught-up", "end"]) {
    chat.addEventListener(type, (event) => seen.push([event.type, event.value ?? event.key ?? event.reason, event.cursor]));
  }
  socket.receive("subscribed chat 9f.0.0", "pos chat 9f.0.0 live=1", "msg chat 9f.1.1\n1", "msg chat 9f.2.1 key=k", "msg chat 9f.3.1\nno JSON");
  socket.receive("gap chat refused 9f.7.1", "unsub chat denied\nno more");
  assert.deepEqual(seen.map(([type, what]) => [type, what]), [
    ["message", 1], ["removed", "k"], ["undecodable", "no JSON"], ["gap", "refused"], ["end", undefined],
  ]);
  assert.deepEqual([seen[0][2], chat.cursor], ["9f.1.1", "9f.7.1"]);
  await assert.rejects(take(chat, 1), { code: "refused", refusal: "denied", reason: "no more" });
  client.close();
});

test("a handler gets the messages themselves, and the other items are events", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat");
  const seen = [];
  chat.onmessage = (message) => seen.push(message.value, message.cursor);
  chat.addEventListener("gap", ({ reason }) => seen.push(reason));
  socket.receive("subscribed chat 9f.0.0", "msg chat 9f.1.1\n1", "gap chat refused 9f.7.1");
  assert.deepEqual(seen, [1, "9f.1.1", "refused"]);
  client.close();
});

test("a reader that is slow has the server wait, and loses nothing", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat", { maxWaiting: 2 });
  await socket.sent();
  socket.receive("subscribed chat 9f.0.0", "msg chat 9f.1.1\n1", "msg chat 9f.2.1\n2", "msg chat 9f.3.1\n3");
  assert.deepEqual(await socket.sent(), ["unsub chat"]);
  assert.deepEqual((await take(chat, 1)).map(({ value }) => value), [1]);
  assert.deepEqual(await socket.sent(), ["sub chat from:9f.2.1"]);
  socket.receive("subscribed chat 9f.2.1", "msg chat 9f.3.1\n3");
  assert.deepEqual((await take(chat, 2)).map(({ value }) => value), [2, 3]);
  client.close();
});

test("numbers that JavaScript does not have exactly go by the core, too", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat", { from: "ffffffffffffffff.9007199254740992.1" });
  assert.deepEqual(await socket.sent(), ["sub chat from:ffffffffffffffff.9007199254740992.1"]);
  socket.receive("subscribed chat ffffffffffffffff.9007199254740992.1");
  socket.receive("msg chat ffffffffffffffff.9007199254740993.2\n1", "msg chat ffffffffffffffff.9007199254740994.2\n2");
  socket.receive("msg chat ffffffffffffffff.9007199254740996.2 after=9007199254740994\n3");
  assert.deepEqual((await take(chat, 3)).map(({ value }) => value), [1, 2, 3]);
  assert.equal(chat.cursor, "ffffffffffffffff.9007199254740996.2");
  client.close();
});

test("bytes come as they are, and a text that a text message cannot carry", async () => {
  const { client, socket } = await attached();
  const map = client.subscribe("map", { raw: true });
  await socket.sent();
  socket.receive("subscribed map 9f.0.0");
  const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer;
  socket.receive(bytes("+b2 msg map 9f.1.1\n\x00\xff+t3 msg map 9f.2.1\na\x1eb"));
  const [first, second] = await take(map, 2);
  assert.deepEqual([first.value, second.value], [Uint8Array.of(0, 255), "a\x1eb"]);
  for (const value of ["text", Uint8Array.of(7), "x\x1ey"]) client.publish("map", value, { raw: true }).catch(() => {});
  const [text, message] = await socket.sent();
  assert.equal(text, "pub map 1\ntext");
  assert.equal(String.fromCharCode(...message), "+b1 pub map 2\n\x07+t3 pub map 3\nx\x1ey");
  client.close();
});

test("a second subscription of a channel shares the first where it is live", async () => {
  const { client, socket } = await attached();
  const one = client.subscribe("chat");
  await socket.sent();
  socket.receive("subscribed chat 9f.4.1", "pos chat 9f.4.1 live=1", "msg chat 9f.5.1\n5");
  const other = client.subscribe("chat");
  assert.deepEqual(await socket.sent(), []);
  socket.receive("msg chat 9f.6.1\n6");
  assert.deepEqual((await take(one, 2)).map(({ value }) => value), [5, 6]);
  assert.deepEqual((await take(other, 1)).map(({ value }) => value), [6]);
  one.close();
  assert.deepEqual(await socket.sent(), []);
  other.close();
  assert.deepEqual(await socket.sent(), ["unsub chat"]);
  client.close();
});

test("what is closed twice is closed once, whatever has the channel since", async () => {
  const { client, socket } = await attached();
  const room = client.presence("room");
  const chat = client.subscribe("room");
  await socket.sent();
  socket.receive("subscribed room 9f.0.0", "unsub room denied");
  await assert.rejects(take(chat, 1), { refusal: "denied" });
  await socket.sent();
  const again = client.subscribe("room");
  assert.deepEqual(await socket.sent(), ["sub room live"]);
  socket.receive("subscribed room 9f.0.0");
  for (const closed of [room, chat]) closed.close();
  assert.deepEqual(await socket.sent(), []);
  const watched = client.presence("room");
  assert.deepEqual(await socket.sent(), ["sub room from:9f.0.0 presence=1"]);
  socket.receive("subscribed room 9f.0.0");
  again.close();
  assert.deepEqual(await socket.sent(), ["sub room hold presence=1"]);
  socket.receive("subscribed room 9f.0.0");
  again.close();
  assert.deepEqual(await socket.sent(), []);
  watched.close();
  assert.deepEqual(await socket.sent(), ["unsub room"]);
  client.close();
});

test("a second subscription gets its history, and the first neither a repetition nor a hole", async () => {
  const { client, socket } = await attached();
  const one = client.subscribe("chat");
  await socket.sent();
  socket.receive("subscribed chat 9f.10.1", "pos chat 9f.10.1 live=1", "msg chat 9f.11.1\n11");
  const other = client.subscribe("chat", { last: 2 });
  assert.deepEqual(await socket.sent(), ["sub chat last:2"]);
  // Meanwhile 12 to 15 were published, of which the second wants 14 and 15 only.
  socket.receive("subscribed chat 9f.13.1");
  assert.deepEqual(await socket.sent(), ["sub chat from:9f.11.1"]);
  socket.receive("msg chat 9f.14.1\n14", "subscribed chat 9f.11.1");
  socket.receive("msg chat 9f.12.1\n12", "msg chat 9f.13.1\n13", "msg chat 9f.14.1\n14", "msg chat 9f.15.1\n15", "pos chat 9f.15.1 live=1");
  socket.receive("msg chat 9f.16.1\n16");
  assert.deepEqual(await values(one, 6), [11, 12, 13, 14, 15, 16]);
  assert.deepEqual(await values(other, 4), [14, 15, "caught-up", 16]);
  client.close();
});

test("a second subscription to the state does not hide messages from the first", async () => {
  const { client, socket } = await attached();
  const each = client.subscribe("prices");
  await socket.sent();
  socket.receive("subscribed prices 9f.10.1", "pos prices 9f.10.1 live=1");
  const state = client.subscribe("prices", { state: true, conflate: true });
  assert.deepEqual(await socket.sent(), ["sub prices state"]);
  // 11 and 12 were published meanwhile, both of the key a.
  socket.receive("subscribed prices 9f.0.0", "msg prices 9f.7.1 key=b after=0\n7", "msg prices 9f.12.1 key=a after=7\n12", "pos prices 9f.12.1 live=1");
  assert.deepEqual(await socket.sent(), ["sub prices from:9f.10.1"]);
  socket.receive("subscribed prices 9f.10.1", "msg prices 9f.11.1 key=a\n11", "msg prices 9f.12.1 key=a\n12", "pos prices 9f.12.1 live=1");
  assert.deepEqual(await values(each, 2), [11, 12]);
  assert.deepEqual(await values(state, 3), [7, 12, "caught-up"]);
  client.close();
});

test("a state comes again after a gap, by the same subscription", async () => {
  const { client, socket } = await attached();
  const prices = client.subscribe("prices", { state: true });
  await socket.sent();
  socket.receive("subscribed prices 9f.0.0", "msg prices 9f.7.1 key=b after=0\n7", "pos prices 9f.7.1 live=1");
  assert.deepEqual(await values(prices, 2), [7, "caught-up"]);
  socket.receive("gap prices trimmed 9f.20.1");
  assert.deepEqual(await socket.sent(), ["sub prices state"]);
  // What still arrives of the earlier subscription is in the state.
  socket.receive("pos prices 9f.20.1 live=1", "msg prices 9f.21.1 key=a\n21");
  socket.receive("subscribed prices 9f.0.0", "msg prices 9f.7.1 key=b after=0\n7", "msg prices 9f.21.1 key=a after=7\n21", "pos prices 9f.21.1 live=1");
  assert.deepEqual(await values(prices, 4), ["gap", 7, 21, "caught-up"]);
  client.close();
});

test("a gap that the rules of the server make leaves a state as it is", async () => {
  const { client, socket } = await attached();
  const prices = client.subscribe("prices", { state: true });
  await socket.sent();
  socket.receive("subscribed prices 9f.0.0", "pos prices 9f.7.1 live=1", "gap prices refused 9f.9.1", "msg prices 9f.10.1 key=a\n10");
  assert.deepEqual(await socket.sent(), []);
  assert.deepEqual(await values(prices, 3), ["caught-up", "gap", 10]);
  client.close();
});

test("a state that goes on from a position comes as a whole where that is lost", async () => {
  const { client, socket } = await attached();
  const each = client.subscribe("prices", { from: "9f.4.1" });
  await socket.sent();
  socket.receive("subscribed prices 9f.4.1");
  const prices = client.subscribe("prices", { from: "9f.4.1", state: true });
  assert.deepEqual(await socket.sent(), ["sub prices from:9f.4.1"]);
  socket.receive("subscribed prices a0.3.1", "gap prices rewritten a0.3.1");
  assert.deepEqual(await socket.sent(), ["sub prices state"]);
  socket.receive("subscribed prices a0.0.0", "msg prices a0.3.1 key=a after=0\n3", "pos prices a0.3.1 live=1", "msg prices a0.4.1 key=a\n4");
  assert.deepEqual(await values(prices, 4), ["gap", 3, "caught-up", 4]);
  assert.deepEqual(await values(each, 3), ["gap", "caught-up", 4]);
  client.close();
});

test("a snapshot of a state is loaded once after a gap, when the state comes", async () => {
  const { client, socket } = await attached();
  const loads = [];
  const prices = client.subscribe("prices", { state: true, snapshot: (cursor) => new Promise((resolve) => loads.push(() => resolve(cursor))) });
  await socket.sent();
  socket.receive("subscribed prices 9f.4.1", "gap prices trimmed 9f.9.1");
  assert.deepEqual(await socket.sent(), ["sub prices state"]);
  loads[0]();
  await settled();
  socket.receive("subscribed prices 9f.0.0");
  assert.equal(loads.length, 2);
  loads[1]();
  assert.deepEqual(await values(prices, 2), ["gap", "9f.0.0"]);
  client.close();
});

test("a server that does not choose the subprotocol is known after a probe, and not dialled again", async () => {
  const { client, socket: next } = connect();
  let socket;
  for (const offered of [["everwire.v1"], ["everwire.v1"], []]) {
    socket = await next(socket);
    assert.deepEqual(socket.offered, offered);
    if (offered.length) socket.cut();
    else socket.open();
  }
  socket = await next(socket);
  assert.deepEqual(socket.offered, ["everwire.v1"]);
  socket.cut();
  assert.equal((await client.closed).code, "not-everwire");
  assert.equal(client.state, "closed");
});

test("each attempt has credentials of its own, and late ones do not replace newer ones", async () => {
  const tokens = [];
  const { client, socket: next } = connect({ token: () => new Promise((resolve) => tokens.push(resolve)), connectTimeout: 20 });
  while (tokens.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  tokens[1]("new");
  const socket = await next();
  tokens[0]("old");
  await settled();
  socket.open();
  assert.match((await socket.sent())[0], /^hello attempt=1 closed=1006\nnew$/);
  client.close();
});

test("a session that another connection took over ends the client, and everything with it", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat");
  const published = client.publish("chat", 1);
  await socket.sent();
  socket.receive("error taken-over fatal=1\nanother tab");
  await assert.rejects(published, { code: "unknown" });
  await assert.rejects(take(chat, 1), { code: "refused", refusal: "taken-over" });
  const error = await client.closed;
  assert.deepEqual([error.code, error.refusal], ["refused", "taken-over"]);
});

test("a malformed line is answered, the connection replaced, and the session goes on", async () => {
  const { client, socket, next } = await attached();
  socket.receive("ack 01 9f.1.1", "bye gone");
  assert.deepEqual(await socket.sent(), ["error malformed line=ack"]);
  assert.equal(socket.closedWith, 4501);
  const other = await next(socket);
  other.open();
  assert.match((await other.sent())[0], /^hello attempt=1 session=me secret=s3cret closed=4501$/);
  client.close();
});

test("a signal closes the client, and await using waits for the end", async () => {
  const controller = new AbortController();
  const { client } = await attached({ signal: controller.signal });
  controller.abort();
  assert.equal((await client.closed).code, "closed");
  const { client: other } = await attached();
  await other[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
  assert.equal(other.state, "closed");
});


test("what is read without a detour is what is read with one", async () => {
  const { client, socket } = await attached();
  // What is logged is not read without a detour.
  const logged = [];
  const { debug } = console;
  console.debug = (...words) => logged.push(words);
  const { client: other, socket: otherSocket, next } = await attached({ debug: true });
  const lines = [];
  let offset = 90;
  const say = (options, payload = '\n{"a":1}') => lines.push(`msg chat 9f.${(offset += 1)}.1795219190000${options}${payload}`);
  for (const by of ["", " by=x8Lw:4", " by=me:900719925474099", " by=x:9007199254740991"]) {
    for (const key of ["", " key=k", " key=ü=✓", ` key=${"n".repeat(128)}`]) {
      for (const more of ["", " color=red", `${key ? "" : " key=late"} x=y`]) say(`${by}${key}${more}`);
      say(`${by}${key}`, "");
      say(`${key}${by}`, "\n");
    }
  }
  // Up to the numbers that have too many digits.
  for (const jump of [5, 4, 999_999_999_999_000, 1, 1]) {
    const after = offset;
    offset = jump > 5 ? jump - 1 : offset + jump;
    say(`${jump % 2 ? "" : " by=x:1"} after=${after}`);
  }
  say(` by=x:1 key=k after=${offset}`, "\nno JSON\n\n");
  const read = async (client, socket) => {
    const chat = client.subscribe("chat", { from: "9f.90.1", maxWaiting: lines.length + 1 });
    await socket.sent();
    socket.receive("subscribed chat 9f.90.1", ...lines.slice(0, 7));
    for (const line of lines.slice(7)) socket.receive(line);
    return (await take(chat, lines.length)).map((item) => ({ ...item, error: item.error?.name, cursor: item.cursor }));
  };
  assert.deepEqual(await read(client, socket), await read(other, otherSocket));
  otherSocket.cut();
  const again = await next(otherSocket);
  again.open();
  assert.match((await again.sent())[0], /secret=s3cret/);
  other.close();
  await other.closed;
  console.debug = debug;
  const words = logged.map(([mark, line]) => [mark, line]);
  assert.ok(words.some(([mark, line]) => mark === "[everwire]" && line === "→ sub chat from:9f.90.1"), JSON.stringify(words));
  assert.ok(!JSON.stringify(logged).includes("s3cret"));
  client.close();
});

test("a number that is missing has the channel subscribed again from the position", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat", { from: "9f.4.1" });
  await socket.sent();
  socket.receive("subscribed chat 9f.4.1", "msg chat 9f.5.1\n5", "msg chat 9f.7.1\n7");
  assert.deepEqual(await socket.sent(), ["error sequence line=msg", "sub chat from:9f.5.1"]);
  socket.receive("subscribed chat 9f.5.1", "msg chat 9f.6.1\n6", "msg chat 9f.7.1\n7");
  assert.deepEqual((await take(chat, 3)).map(({ value }) => value), [5, 6, 7]);
  client.close();
});

test("a client ends in whatever state it is closed, and everything after that fails", async () => {
  const { client: early } = connect();
  early.close();
  assert.equal((await early.closed).code, "closed");
  const { client: connecting, socket: next } = connect();
  await next();
  connecting.close();
  assert.equal((await connecting.closed).code, "closed");
  const { client, socket } = await attached({ backoff: { floor: 5_000, first: 5_000, quick: 5_000 } });
  const attempts = [];
  client.addEventListener("reconnecting", ({ cause, code, attempt, delay }) => attempts.push([cause, code, attempt, delay > 0]));
  socket.cut(1001);
  assert.deepEqual(attempts, [["closed", 1001, 1, true]]);
  assert.equal(client.state, "waiting");
  const waiting = client.publish("chat", 1);
  client.close();
  await assert.rejects(waiting, { code: "closed" });
  assert.equal((await client.closed).code, "closed");
  await assert.rejects(client.request("now"), { code: "closed" });
  await assert.rejects(take(client.subscribe("chat"), 1), { code: "closed" });
  assert.deepEqual(await take(client.presence("chat"), 1).catch(({ code }) => code), "closed");
  const { latency, ...counts } = client.stats;
  assert.equal(latency.answered, 0);
  assert.deepEqual([counts.opened, counts.pending], [1, 0]);
});

test("a module that traps ends the client, and what was under way has an unknown fate", async () => {
  const { client, socket } = await attached();
  const chat = client.subscribe("chat");
  const published = client.publish("chat", 1);
  await socket.sent();
  trapped(new WebAssembly.RuntimeError("unreachable"));
  await assert.rejects(published, { code: "unknown" });
  await assert.rejects(take(chat, 1), { code: "module" });
  assert.match((await client.closed).message, /wasm module has trapped \(unreachable\)/);
  const { client: other } = await attached();
  assert.equal(other.state, "attached", "the next client has another instance");
  other.close();
});
