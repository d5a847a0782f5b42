import { dialects } from "./dialects.js";
import { FakeWebSocket } from "./fake-socket.js";
import { ticks } from "./ticks.js";

/** How many messages are sent before the first of them is answered. */
const BATCH = 50;
/**
 * How long a round is to take, in ms, and within what number of messages. It is short, so that on a shared machine some rounds
 * are not interrupted by another process.
 */
const ROUND = { time: 3, least: 20, most: 8000 };
/** How long a client runs before any measurement, in ms: its code is compiled best when it has run hot. */
const WARM_UP = 400;

const SIZES = { "32 B": 32, "1 KiB": 1024, "64 KiB": 65_536 };
const TICKS = { "200 B": 200, "4 kB": 4000 };

/** Measures a client in all cases; gives the µs of main thread a message for each. */
globalThis.measure = async (path, dialect, rounds) => {
  globalThis.WebSocket = FakeWebSocket;
  FakeWebSocket.dialect = dialects[dialect];
  const { open } = await import(path);
  const results = {};
  await warmUp(open, path.endsWith("-json.js"));
  if (!path.endsWith("-json.js")) {
    for (const kind of ["text", "binary"]) {
      for (const [name, size] of Object.entries(SIZES)) {
        results[`${kind} ${name}`] = await measureEcho(open, kind === "text", size, rounds);
      }
    }
  }
  for (const [name, size] of Object.entries(TICKS)) {
    results[`ticks ${name}`] = await measureTicks(open, size, rounds);
  }
  return results;
};

async function warmUp(open, onlyTicks) {
  const end = performance.now() + WARM_UP;
  while (performance.now() < end) {
    if (!onlyTicks) {
      await measureEcho(open, true, 32, 1);
      await measureEcho(open, false, 32, 1);
    }
    await measureTicks(open, 200, 1);
  }
}

async function measureEcho(open, isText, size, rounds) {
  const client = await open("ws://fake.invalid/", false);
  const socket = FakeWebSocket.latest;
  client.prepare(isText, size);
  const payload = isText ? "x".repeat(size) : new Uint8Array(size).buffer;
  const frames = FakeWebSocket.dialect.frames(payload);
  return repeat(rounds, (count) => {
    const events = Array.from({ length: count * frames.length }, (_, index) => message(frames[index % frames.length]));
    return () => echo(client, socket, events, frames.length);
  });
}

async function measureTicks(open, size, rounds) {
  const client = await open("ws://fake.invalid/", true);
  const socket = FakeWebSocket.latest;
  const texts = ticks(size, 500).map((json) => FakeWebSocket.dialect.tick(json)[0]);
  return repeat(rounds, (count) => {
    const events = Array.from({ length: count }, (_, index) => message(texts[index % texts.length]));
    return () => push(client, socket, events);
  });
}

const message = (data) => new MessageEvent("message", { data, origin: "ws://fake.invalid" });

/** Sends messages in batches and hands the echo of each in. */
async function echo(client, socket, events, frames) {
  const before = client.received();
  const sentBefore = socket.sent;
  for (let next = 0; next < events.length; ) {
    const end = Math.min(next + BATCH * frames, events.length);
    for (let i = next; i < end; i += frames) client.send();
    await until(() => socket.sent - sentBefore >= end);
    while (next < end) {
      for (let i = 0; i < frames; i++) socket.deliver(events[next++]);
      // In life a task ends here, and with it everything that waits for a promise gets its turn.
      if (client.received() - before < next / frames) await until(() => client.received() - before >= next / frames);
    }
  }
}

async function push(client, socket, events) {
  const before = client.received();
  for (let next = 0; next < events.length; ) {
    socket.deliver(events[next++]);
    if (client.received() - before < next) await until(() => client.received() - before >= next);
  }
}

/** Waits by microtasks, and only if they do not help by tasks. */
async function until(isDone) {
  for (let turns = 0; !isDone(); turns++) {
    if (turns > 100_000) throw new Error("a message got lost");
    await (turns < 50 ? null : new Promise((resolve) => setTimeout(resolve)));
  }
}

/** Runs rounds until their speed has settled, then so many more; gives the time a message in µs that a quarter of them kept to. */
async function repeat(rounds, prepare) {
  let count = ROUND.least;
  const times = [];
  const warmUp = 6;
  for (let round = 0; round < warmUp + rounds; round++) {
    const run = prepare(count);
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve));
    const start = performance.now();
    await run();
    const time = performance.now() - start;
    if (round >= warmUp) times.push((time * 1000) / count);
    else count = Math.round(Math.min(ROUND.most, Math.max(ROUND.least, (count * ROUND.time) / time)));
  }
  return times.sort((a, b) => a - b)[rounds >> 2];
}
