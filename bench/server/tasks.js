/** How many subscribers there are, and how many messages are on their way at a time. */
export const CROWDS = [1000, 5000];
const IN_FLIGHT = [1, 8];
/** The connections of the echo, each with so many messages on their way. */
const ECHO = { connections: 50, "in-flight": 64 };
const IDLE = { connections: 5000 };

/** For how long each is measured, in seconds. */
const SECONDS = { full: 0.7, quick: 0.3 };

/**
 * What each server has to do, every time in a process of its own: how `bench-load` calls it, where, with what flags, and
 * name and value of each result. All of it, or what is named.
 */
export const tasks = (quick, what) => {
  const seconds = quick ? SECONDS.quick : SECONDS.full;
  const fanout = (connections) => ({
    task: "fanout",
    path: "broadcast",
    flags: { connections, "in-flight": IN_FLIGHT, seconds },
    read: ([one, eight]) => [[`lockstep_${connections}_us`, one.us], [`fanout8_${connections}_us`, eight.us]],
  });
  const all = [
    { task: "idle", path: "echo", flags: IDLE, read: ({ bytes }) => [["idle_bytes", bytes]] },
    ...CROWDS.map(fanout),
    { task: "echo", path: "echo", flags: { ...ECHO, seconds }, read: ({ us, rate }) => [["echo_us", us], ["echo_rate", rate]] },
  ];
  const unknown = what?.find((name) => !all.some(({ task }) => task === name));
  if (unknown !== undefined) throw new Error(`a server cannot be measured for ${unknown}, but for fanout, echo and idle`);
  return what ? all.filter(({ task }) => what.includes(task)) : all;
};

const clients = (count) => `${count.toLocaleString("en")} clients`;

/** The columns of the table of WebSocket layers. */
export const LAYERS = [
  ...CROWDS.map((crowd) => [`lockstep_${crowd}_us`, `lock-step, ${clients(crowd)}`]),
  ...CROWDS.map((crowd) => [`fanout8_${crowd}_us`, `8 in flight, ${clients(crowd)}`]),
  ["echo_us", "pipelined echo"],
  ["idle_bytes", "idle"],
];

/** The tables of servers, each with its columns: the name of a value, and its heading. */
export const TABLES = [
  ["fan-out of 64 bytes, lock-step, µs of CPU a delivery", CROWDS.map((crowd) => [`lockstep_${crowd}_us`, clients(crowd)])],
  ["fan-out of 64 bytes, 8 messages in flight, µs of CPU a delivery", CROWDS.map((crowd) => [`fanout8_${crowd}_us`, clients(crowd)])],
  ["echo of 64 bytes, 64 messages in flight on each of 50 connections", [["echo_us", "µs of CPU a message"], ["echo_rate", "messages a second"]]],
  ["memory of an idle connection of 5,000", [["idle_bytes", "bytes"]]],
];
