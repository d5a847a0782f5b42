/** Soon asked, and with time for an answer also on a busy machine. */
const soon = { afterSilence: 20, minDeadline: 4_000, maxDeadline: 8_000, sampleEvery: 30 };

export default {
  "a heartbeat measures the round trip, and keeps its answers to itself": async (t) => {
    const socket = t.ever("/echo", { heartbeat: soon });
    const got = [];
    socket.onmessage = ({ data }) => got.push(data);
    const { roundTrip, type } = await t.next(socket, "latency");
    t.ok(type === "latency" && roundTrip >= 0, `a round trip of ${roundTrip}`);
    await t.next(socket, "latency");
    const { answered, lost, last, min, max, mean } = socket.stats.latency;
    t.ok(answered >= 2 && lost === 0 && min <= mean && mean <= max && last >= min, `sense in ${JSON.stringify(socket.stats.latency)}`);
    t.equal(got, [], "messages");
    t.ok(/^\{"ping":\d+\}$/.test((await t.server("seen"))[0].messages[0]), "the text of a ping");
  },
  "heartbeat: true is taken": async (t) => {
    const socket = t.ever("/echo", { heartbeat: true });
    await t.next(socket, "open");
    socket.send("x");
    t.equal((await t.next(socket, "message")).data, "x", "data");
  },
  "a message that looks almost like an answer is the application's": async (t) => {
    const socket = t.ever("/echo", { heartbeat: { ...soon, afterSilence: 60_000 } });
    await t.next(socket, "open");
    const almost = ['{"pong":1,"more":2}', '{"pong":"1"}', '[{"pong":1}]', '{"ping":1}x', "{}", ""];
    for (const text of almost) {
      socket.send(text);
      t.equal((await t.next(socket, "message")).data, text, "data");
    }
  },
  "a heartbeat of one's own is asked and understood": async (t) => {
    const socket = t.ever("/echo", {
      heartbeat: { ...soon, ping: (number) => `are you there ${number}`, pong: (data) => /^are you there (\d+)$/.test(data) && Number(data.slice(14)) },
    });
    await t.next(socket, "latency");
    t.equal((await t.server("seen"))[0].messages[0].replace(/\d+/, "N"), "are you there N", "ping");
  },
  "an answer with the server's time sets serverTime": async (t) => {
    const socket = t.ever("/echo", { heartbeat: { ...soon, pong: (data) => data.startsWith('{"ping"') && { ping: JSON.parse(data).ping, serverTime: 1e12 } } });
    t.equal(socket.serverTime, undefined, "serverTime at first");
    await t.next(socket, "latency");
    t.ok(Math.abs(socket.serverTime - 1e12) < 60_000, `a serverTime of ${socket.serverTime}`);
  },
  "a ping that throws, and a pong that does, are reported": async (t) => {
    const mine = new Error("mine, from a heartbeat");
    const reported = t.reported((error) => error === mine);
    const thrower = () => {
      throw mine;
    };
    const socket = t.ever("/greet", { heartbeat: { ...soon, ping: thrower, pong: thrower } });
    t.equal((await t.next(socket, "message")).data, "hello", "data");
    await t.until(() => reported.length >= 2);
  },
  "a pong that gives what is no number is reported, and concerns no other socket": async (t) => {
    const bystander = t.ever();
    await t.next(bystander, "open");
    const mine = new Error("mine, from a conversion");
    const reported = t.reported((error) => error === mine);
    const ping = {
      valueOf() {
        throw mine;
      },
    };
    const socket = t.ever("/greet", { heartbeat: { ...soon, pong: (data) => data === "hello" && { ping } } });
    t.equal((await t.next(socket, "message")).data, "hello", "data");
    t.equal([reported.length, socket.readyState, bystander.readyState], [1, 1, 1], "reports and readyStates");
  },
  ...Object.fromEntries(
    // mock-socket and the jsdom of Jest give the wall clock, fake timers a clock that stands still, other mocks nothing.
    Object.entries({ "of the wall clock": () => Date.now(), "of the future": () => performance.now() + 1e6, "of the past": () => 1, "that is missing": () => undefined }).map(([name, time]) => [
      `events with a time ${name} keep a link alive, and a dropped one is made again`,
      async (t) => {
        class Mock extends WebSocket {
          set onmessage(listener) {
            super.onmessage = listener && (({ data }) => listener({ data, timeStamp: time() }));
          }
        }
        const socket = t.ever("/echo", { WebSocket: Mock, heartbeat: { silence: 400 } });
        const log = t.log(socket, ["reconnecting", "open"]);
        await t.next(socket, "open");
        // For longer than the silence that is allowed.
        for (const since = performance.now(); performance.now() - since < 700; ) {
          socket.send("x");
          await t.next(socket, "message");
        }
        t.equal(log, ["open"], "events while it talks");
        const drop = t.next(socket, "reconnecting");
        await t.server("cut");
        t.ok((await drop).delay <= 40, `a delay of ${(await drop).delay}`);
        await t.next(socket, "open");
        // Nothing comes any more.
        t.equal((await t.next(socket, "reconnecting")).cause, "heartbeat-timeout", "cause");
      },
    ]),
  ),
  "a server that never answers is found out": async (t) => {
    const socket = t.ever("/quiet", { heartbeat: { ...soon, minDeadline: 50, maxDeadline: 100 } });
    const { cause } = await t.next(socket, "reconnecting");
    t.equal(cause, "never-answered", "cause");
  },
  "a link that has gone dead is left at once": async (t) => {
    const socket = t.ever("/deaf", { heartbeat: { silence: 60 } });
    const log = t.log(socket, ["open", "reconnecting", "reconnected", "close"]);
    await t.next(socket, "reconnected");
    t.equal(log.slice(0, 4), ["open", "reconnecting", "open", "reconnected"], "events");
  },
  "an attempt that takes too long is given up": async (t) => {
    const socket = t.ever("/hang", { connectTimeout: 60 });
    const { cause, code } = await t.next(socket, "reconnecting");
    t.equal([cause, code], ["connect-timeout", 1006], "what it tells");
  },
  "an address function that takes too long is given up": async (t) => {
    let calls = 0;
    const url = t.at("/echo");
    // The second attempt has the same time, also on a busy machine.
    const socket = t.dial(() => ((calls += 1) === 1 ? new Promise(() => {}) : url), [], { connectTimeout: 1_000, backoff: { floor: 1, first: 5 } });
    t.equal((await t.next(socket, "reconnecting")).cause, "connect-timeout", "cause");
    await t.next(socket, "open");
  },
  "a close that the server does not answer ends after closeTimeout": async (t) => {
    const socket = t.ever("/deaf", { closeTimeout: 60 });
    await t.next(socket, "open");
    socket.close(4000, "bye");
    const { wasClean } = await t.next(socket, "close");
    t.equal([wasClean, socket.readyState], [false, 3], "wasClean and readyState");
  },
};
