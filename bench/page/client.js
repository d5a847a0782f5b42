/** The page of the part `client`: a client on a fake socket. */
import { dialects, FakeWebSocket, ticks } from "./fake-network.js";

/** The number of messages that are sent before the first one is answered. */
const BATCH = 50;
/**
 * The desired length of a round in ms, and the bounds of its number of messages. Rounds are short, so that on a shared machine some are
 * not interrupted by another process.
 */
const ROUND = { time: 1.5, min: 24, max: 8000 };
/** Rounds until the number of messages has settled. */
const SETTLING = 6;
/** How long a client runs before any measurement, in ms, so that its code is optimized. */
const WARM_UP = 400;

/** By case: runs a round and returns the µs per message. */
const rounds = new Map();

/** Loads a client and prepares all its cases; see `clients.js`. */
globalThis.prepare = async (path, dialect, cases) => {
  globalThis.WebSocket = FakeWebSocket;
  FakeWebSocket.dialect = dialects[dialect];
  const { open } = await import(path);
  await warmUp(open, cases);
  for (const one of cases) rounds.set(one.name, await settle(await start(open, one)));
};

/** Runs rounds of a case and returns the µs per message of each. */
globalThis.slice = async (name, count) => {
  const times = [];
  while (times.length < count) times.push(await rounds.get(name)());
  return times;
};

/** Runs the smallest case of each kind. */
async function warmUp(open, cases) {
  const kinds = new Set(cases.map(({ kind }) => kind));
  const smallest = [...kinds].map((kind) => cases.find((one) => one.kind === kind));
  const end = performance.now() + WARM_UP;
  while (performance.now() < end) {
    for (const one of smallest) await settle(await start(open, one));
  }
}

/** Opens a client for one case. Returns a function that prepares a number of messages, which returns one that sends them. */
async function start(open, { kind, size, isDispatched, together = 1 }) {
  FakeWebSocket.isDispatching = isDispatched;
  const isTicks = kind === "ticks";
  const client = await open("ws://fake.invalid/", isTicks);
  const socket = FakeWebSocket.latest;
  if (isTicks) {
    const { tick, join } = FakeWebSocket.dialect;
    const texts = ticks(size, 500);
    return (count) => {
      const made = Array.from({ length: count }, (_, index) => tick(texts[index % texts.length], socket));
      const size = join ? together : 1;
      const data = size > 1 ? Array.from({ length: count / size }, (_, index) => join(made.slice(index * size, (index + 1) * size))) : made;
      const events = data.map((text) => message(flat(text)));
      return () => push(client, socket, events, size);
    };
  }
  client.prepare(kind === "text", size);
  const payload = kind === "text" ? "x".repeat(size) : new Uint8Array(size).buffer;
  const frames = FakeWebSocket.dialect.frames(payload);
  return (count) => {
    const events = Array.from({ length: count * frames.length }, (_, index) => message(frames[index % frames.length]));
    return () => echo(client, socket, events, frames.length);
  };
}

const message = (data) => new MessageEvent("message", { data, origin: "ws://fake.invalid" });

/** Sends messages in batches and delivers the echo of each. */
async function echo(client, socket, events, frames) {
  const before = client.received();
  const sentBefore = socket.sent;
  for (let next = 0; next < events.length; ) {
    const end = Math.min(next + BATCH * frames, events.length);
    for (let i = next; i < end; i += frames) client.send();
    await until(() => socket.sent - sentBefore >= end);
    while (next < end) {
      for (let i = 0; i < frames; i++) socket.deliver(events[next++]);
      // In a browser each message is a task, so microtasks run before the next one.
      if (client.received() - before < next / frames) await until(() => client.received() - before >= next / frames);
    }
  }
}

async function push(client, socket, events, size) {
  const before = client.received();
  for (let next = 0; next < events.length; ) {
    socket.deliver(events[next++]);
    if (client.received() - before < next * size) await until(() => client.received() - before >= next * size);
  }
}

/** Flattens a concatenated string, since a socket delivers flat ones. */
function flat(text) {
  /$/.test(text);
  return text;
}

/** Waits for microtasks, and after some of these for tasks. */
async function until(isDone) {
  for (let turns = 0; !isDone(); turns++) {
    if (turns > 100_000) throw new Error("a message was lost");
    await (turns < 50 ? null : new Promise((resolve) => setTimeout(resolve)));
  }
}

/** Runs rounds until they take the desired time. Returns a function that runs another one. */
async function settle(prepare) {
  let count = ROUND.min;
  const round = async () => {
    const run = prepare(count);
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve));
    const start = performance.now();
    await run();
    return ((performance.now() - start) * 1000) / count;
  };
  for (let left = SETTLING; left > 0; left--) {
    const each = await round();
    // A multiple of the number of ticks that arrive together.
    count = 8 * Math.round(Math.min(ROUND.max, Math.max(ROUND.min, (ROUND.time * 1000) / each)) / 8);
  }
  return round;
}
