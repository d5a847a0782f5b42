import { recovery } from "../../support/line.ts";
import { expect, test } from "../../support/react.ts";
import { Sockets } from "../../support/sockets.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

test("makes one connection in Strict Mode, though that runs effects twice", async ({ feed, page }) => {
  // One too many would be given up before the server hears of it, so those are counted that the page begins.
  const sockets = Sockets.of(page, "/echo");
  await feed.open({ url: "/echo", keep: 10 });
  await feed.send("hello");
  await expect(feed.messages).toHaveText(["hello"]);
  expect(await feed.evaluate((tests) => tests.mounted, null), "React ran the effects twice").toBe(2);
  expect(sockets.faults).toHaveLength(1);
  expect(await feed.connections()).toEqual({ total: 1, open: 1 });
});

test("gives and hears each of a thousand messages that come at once", async ({ feed }) => {
  const sent = numbers(1_000);
  await feed.open({ url: "/echo", keep: 2_000 });
  await feed.send(...sent);
  await expect(feed.messages).toHaveCount(sent.length);
  await expect(feed.messages).toHaveText(sent);
  expect((await feed.heard()).map(({ data }) => data)).toEqual(sent);
});

test("keeps as many of the latest messages as asked for", async ({ feed }) => {
  await feed.open({ url: "/echo", keep: 3 });
  await feed.send(...numbers(10));
  await expect(feed.messages).toHaveText(["message 7", "message 8", "message 9"]);
  await feed.show({ url: "/echo", keep: 2 });
  await feed.send("another");
  await expect(feed.messages).toHaveText(["message 9", "another"]);
  expect((await feed.connections()).total).toBe(1);
});

test("hears every message also where none is kept", async ({ feed }) => {
  await feed.open({ url: "/echo" });
  await feed.send("hello", "again");
  await expect.poll(async () => (await feed.heard()).map(({ data }) => data)).toEqual(["hello", "again"]);
  await expect(feed.messages).toHaveCount(0);
});

test("calls the latest functions, without another connection", async ({ feed }) => {
  await feed.open({ url: "/echo", label: "first" });
  await feed.show({ url: "/echo", label: "second" });
  await feed.send("hello");
  await expect.poll(() => feed.heard()).toEqual([{ label: "second", data: "hello" }]);
  expect(await feed.connections()).toEqual({ total: 1, open: 1 });
});

test("makes another socket for another address, closes the first, and begins its messages anew", async ({ feed }) => {
  await feed.open({ url: "/echo", keep: 10 });
  await feed.send("to the first");
  await expect(feed.messages).toHaveText(["to the first"]);
  await feed.show({ url: "/echo?another", keep: 10 });
  await expect.poll(() => feed.connections()).toEqual({ total: 2, open: 1 });
  await feed.send("to the second");
  await expect(feed.messages).toHaveText(["to the second"]);
});

test("keeps the socket while address and subprotocols say the same, made anew or not", async ({ feed }) => {
  await feed.open({ url: "/echo", isAnew: true, label: "first" });
  await feed.show({ url: "/echo", isAnew: true, label: "second" });
  await feed.send("hello");
  await expect.poll(() => feed.heard()).toEqual([{ label: "second", data: "hello" }]);
  expect(await feed.connections()).toEqual({ total: 1, open: 1 });
});

test("makes no socket without an address, and closes the one it had", async ({ feed, page }) => {
  await feed.show({ url: null });
  await expect(page.getByRole("status")).toHaveText("no socket");
  expect(await feed.connections()).toEqual({ total: 0, open: 0 });
  await feed.open({ url: "/echo" });
  await feed.show({ url: null });
  await expect(page.getByRole("status")).toHaveText("no socket");
  await expect.poll(() => feed.connections()).toEqual({ total: 1, open: 0 });
});

// What many write first: it made a connection for each drawing, and each connection made a drawing.
test("keeps its socket while the address is a function written inline, and asks the latest for each attempt", async ({ feed, page }) => {
  const dials: string[] = [];
  page.on("websocket", (socket) => dials.push(new URL(socket.url()).search));
  await feed.open({ url: "/echo", isAsked: true, label: "first" });
  await feed.show({ url: "/echo", isAsked: true, label: "second" });
  await feed.send("hello");
  await expect.poll(() => feed.heard()).toEqual([{ label: "second", data: "hello" }]);
  expect(await feed.connections()).toEqual({ total: 1, open: 1 });
  await feed.evaluate((tests) => tests.socket!.reconnect(), null);
  await expect.poll(() => dials).toEqual(["?token=first", "?token=second"]);
  await feed.show({ url: "/echo?another" });
  await expect.poll(() => feed.connections()).toEqual({ total: 3, open: 1 });
});

test("asks the latest shouldReconnect", async ({ feed, page, companion, errors }) => {
  errors.expectLostConnections();
  await feed.open({ url: "/echo", retries: true });
  await feed.show({ url: "/echo", retries: false });
  await companion.kill();
  await expect(page.getByRole("status")).toHaveText("closed");
});

test("sends by one function over all drawings, which refuses where there is no socket", async ({ feed }) => {
  await feed.open({ url: "/echo", label: "first" });
  await feed.show({ url: "/echo", label: "second" });
  const send = (text: string) => feed.evaluate((tests, text) => tests.sends[0]!(text), text);
  expect(await send("hello")).toBe("sent");
  await expect.poll(() => feed.heard()).toEqual([{ label: "second", data: "hello" }]);
  expect(await feed.evaluate((tests) => new Set(tests.sends.slice(-1).concat(tests.sends[0]!)).size, null)).toBe(1);
  await feed.show({ url: null });
  await expect.poll(() => send("lost")).toBe("refused");
});

test("gives and takes values with json, from the mount on, and leaves out what is no JSON", async ({ feed, errors }) => {
  errors.expect(/JSON/);
  await feed.open({ url: "/echo", json: true, keep: 10 });
  await expect.poll(() => feed.heard()).toEqual([{ label: "", data: { at: "mount" } }, { label: "", data: { at: "mount" } }]);
  expect(await feed.evaluate((tests) => tests.atMount, null)).toEqual(["queued", "queued"]);
  await feed.send("{oops");
  await feed.evaluate((tests) => tests.sends[0]!([1, null]), null);
  await expect(feed.messages).toHaveText(['{"at":"mount"}', '{"at":"mount"}', "[1,null]"]);
});

test("closes when the component is taken off, and opens when it is put on again", async ({ feed }) => {
  await feed.open({ url: "/echo" });
  await feed.show(null);
  await expect.poll(() => feed.connections()).toEqual({ total: 1, open: 0 });
  await feed.open({ url: "/echo" });
  await expect.poll(() => feed.connections()).toEqual({ total: 2, open: 1 });
});

test("shows that the connection was lost and is back, and goes on with the same socket", async ({ feed, page, companion, errors }) => {
  errors.expectLostConnections();
  await feed.open({ url: "/echo", keep: 10 });
  await feed.send("before");
  await expect(feed.messages).toHaveText(["before"]);
  await companion.kill();
  await expect(page.getByRole("status")).toHaveText("connecting");
  await expect(feed.reconnecting).toHaveText(/attempt \d+/);
  await feed.send("meanwhile");
  await companion.restart();
  await expect(page.getByRole("status")).toHaveText("open", recovery);
  await expect(feed.reconnecting).toHaveText("");
  await expect(feed.messages).toHaveText(["before", "meanwhile"]);
  const events = await feed.evaluate((tests) => tests.events, null);
  expect(events.slice(0, 2)).toEqual(["open", "reconnecting"]);
  expect(events.slice(-2)).toEqual(["open", "reconnected"]);
});

test("draws on a server, where no socket is made", async ({ application }) => {
  const drawn = await application.run("node", "server.mjs");
  expect(drawn).toContain("{&quot;socket&quot;:null,&quot;readyState&quot;:null,&quot;messages&quot;:[]}");
});
