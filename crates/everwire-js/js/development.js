// What a build for development refuses: slips that would otherwise be without effect, or have one that nobody meant. The entry
// `everwire/inline`, which is also that of Node.js and of bundlers while developing, brings these checks along.
import { defaults } from "../build/codes.js";
import { exception } from "./events.js";

/** The names within each group of options. */
const GROUPS = {
  backoff: Object.keys(defaults.backoff),
  watermarks: Object.keys(defaults.watermarks),
  outbox: Object.keys(defaults.outbox),
  heartbeat: [...Object.keys(defaults.heartbeat), "ping", "pong", "silence"],
};
const TIMES = ["connectTimeout", "closeTimeout"];
const OPTIONS = [...Object.keys(GROUPS), ...TIMES, "reconnect", "shouldReconnect", "signal", "WebSocket", "debug"];
const CLIENT_OPTIONS = ["backoff", "outbox", ...TIMES, "token", "signal", "WebSocket", "debug", "heartbeat"];
const SUBSCRIBE_OPTIONS = ["from", "last", "state", "conflate", "raw", "snapshot", "maxWaiting", "maxWaitingSize", "signal"];
const SEND_OPTIONS = ["timeToLive", "key"];
/** What other libraries call it. */
const OTHER_NAMES = {
  ttl: "timeToLive",
  maxReconnectionDelay: "backoff: { max }",
  minReconnectionDelay: "backoff: { floor }",
  reconnectionDelayGrowFactor: "backoff: { factor }",
  minUptime: "backoff: { stableAfter }",
  connectionTimeout: "connectTimeout",
  maxEnqueuedMessages: "outbox: { maxMessages }",
  shouldReconnectOnClose: "shouldReconnect",
  webSocketImpl: "WebSocket",
};
/** Pairs within a group of which the first must not be above the second, where both are given. */
const ORDERED = {
  backoff: [["floor", "first"], ["first", "max"]],
  watermarks: [["low", "high"]],
  heartbeat: [["minDeadline", "maxDeadline"]],
};

export const development = {
  /** The arguments of the constructor. */
  construct(url, protocols, options) {
    if (typeof url?.then === "function") refuse("The address is a promise: pass the function that makes it, new EverSocket(() => promise).");
    checkProtocols(protocols, options);
    this.options(options);
    if (options?.reconnect === false && [url, protocols].some((source) => typeof source === "function")) {
      refuse("reconnect: false takes no function: use shouldReconnect: () => false.");
    }
  },

  options(options) {
    if (options === undefined || options === null) return;
    if (typeof options !== "object") refuse(`The options have to be an object such as { heartbeat: true }, and are ${show(options)}.`);
    for (const [name, value] of given(options)) {
      if (!OPTIONS.includes(name)) checkStranger(name, value, OPTIONS);
    }
    for (const name of Object.keys(GROUPS)) checkGroup(name, options[name]);
    for (const name of TIMES) checkNumber(name, options[name]);
    checkValues(options);
  },

  /** The second argument of `send`, which is none of ours where a library passes a callback, or an index. */
  send(options) {
    if (typeof options !== "object" || options === null) return;
    for (const [name, value] of given(options)) {
      if (!SEND_OPTIONS.includes(name)) checkStranger(name, value, SEND_OPTIONS);
    }
    const { timeToLive, key } = options;
    checkNumber("timeToLive", timeToLive);
    if (!["undefined", "string", "number"].includes(typeof key)) refuse(`key has to be a string, and is ${show(key)}.`);
  },

  json(options) {
    if (options === undefined) return;
    if (!isGroup(options)) refuse(`The options of json() have to be an object such as { maxUnread: 100 }, and are ${show(options)}.`);
    for (const [name] of given(options)) {
      if (name !== "maxUnread") refuse(`There is no option ${name} of json(): the name is maxUnread.`);
    }
    checkNumber("maxUnread", options.maxUnread);
  },

  /** The options of an EverClient. */
  client(url, options) {
    if (typeof url?.then === "function") refuse("The address is a promise: pass the function that makes it, new EverClient(() => promise).");
    checkNames(options, CLIENT_OPTIONS, "new EverClient(url, { token })");
    const { heartbeat, outbox, token } = options;
    if (heartbeat !== undefined) refuse("A client has no option heartbeat: the server says how often it wants pings.");
    if (outbox?.whenFull !== undefined) refuse("A client has no option outbox.whenFull: what does not fit is rejected with the code full.");
    for (const name of ["backoff", "outbox"]) checkGroup(name, options[name]);
    for (const name of TIMES) checkNumber(name, options[name]);
    if (!["undefined", "string", "function"].includes(typeof token) && !ArrayBuffer.isView(token)) {
      refuse(`token has to be a text, bytes or a function that gives one, and is ${show(token)}.`);
    }
    checkValues({ ...options, outbox: undefined });
    if (!(options.WebSocket ?? globalThis.WebSocket)) {
      throw exception("There is no WebSocket here: pass the class of the package ws as option WebSocket.", "NotSupportedError");
    }
  },

  subscribe(options) {
    checkNames(options, SUBSCRIBE_OPTIONS, "subscribe(channel, { last: 20 })");
    const { from, last, state, snapshot } = options;
    // With a position, the state comes only where that is lost.
    const starts = Object.entries({ from, last, state: !from && state }).filter(([, value]) => value !== undefined && value !== false);
    if (starts.length > 1) refuse(`A subscription has one start: leave out ${starts.slice(1).map(([name]) => name).join(" and ")}.`);
    for (const name of ["last", "maxWaiting", "maxWaitingSize"]) checkNumber(name, options[name]);
    checkFunction("snapshot", snapshot, "async (cursor) => load(cursor)");
  },

  publish(options) {
    checkNames(options, ["key", "timeToLive", "raw"], 'publish(channel, value, { key: "name" })');
    checkNumber("timeToLive", options.timeToLive);
  },

  request(options) {
    checkNames(options, ["timeout", "signal", "raw"], "request(name, value, { timeout: 5000 })");
    checkNumber("timeout", options.timeout);
  },

  /** What an EverClient throws a TypeError for in any build. */
  explain: {
    name: (name) => `"${name}" is no name: use 1 to 128 bytes without spaces and control characters.`,
    from: () => "from is no cursor: pass one as it was received.",
    value: () => "JSON cannot hold this value: send null.",
  },

  describe: (event) => DESCRIPTIONS[event.type](event),
};

/** What the option `debug` logs, by type. */
const DESCRIPTIONS = {
  // The query may hold a token.
  connecting: ({ url }) => `connecting to ${`${url}`.split("?")[0]}`,
  open: () => "connected",
  reconnecting({ cause, code, reason, attempt, delay }) {
    const why = cause === "closed" ? `closed with ${ending(code, reason)}` : cause;
    return `not connected: ${why}; attempt ${attempt} ${delay === Infinity ? "when the page is back" : `in ${Math.round(delay)} ms`}`;
  },
  reconnected: ({ attempts, downtime }) => `connected again after ${Math.round(downtime)} ms, by attempt ${attempts}`,
  latency: ({ roundTrip }) => `round trip of ${roundTrip.toFixed(1)} ms`,
  drop({ reason, messages, bytes }) {
    const count = messages === 1 ? "1 message" : `${messages} messages`;
    if (reason === "connection-lost") return `${count} may be lost with the connection, which still held ${bytes} bytes`;
    return `${count} of ${bytes} bytes dropped: ${reason}`;
  },
  error: ({ message }) => `failed${message ? `: ${message}` : ""}`,
  close: ({ code, reason, wasClean }) => `closed with ${ending(code, reason)}, ${wasClean ? "cleanly" : "not cleanly"}`,
};

const ending = (code, reason) => (reason ? `${code} ${show(reason)}` : `${code}`);

function checkProtocols(protocols, options) {
  const isOptions = isGroup(protocols) && !protocols[Symbol.iterator] && Object.keys(protocols).some((name) => OPTIONS.includes(name));
  // The error that follows in any build, with more to say.
  if (isOptions) throw exception("The options are the third argument: new EverSocket(url, [], options).", "SyntaxError");
  if (protocols === null && options) refuse('null is the subprotocol "null", as in the browser\'s class: write [] or undefined for none.');
}

/** Options that no library passes on, so that each has to be one of these. */
function checkNames(options, known, example) {
  if (!isGroup(options)) refuse(`The options have to be an object such as ${example}, and are ${show(options)}.`);
  for (const [name, value] of given(options)) {
    if (known.includes(name)) continue;
    checkStranger(name, value, known);
    refuse(`There is no option ${name}: the names are ${known.filter((other) => other !== "heartbeat").join(", ")}.`);
  }
}

/** A name that is no option. Libraries pass options that are meant for other classes, so only one that is plainly a slip is refused. */
function checkStranger(name, value, known) {
  const write = (what) => refuse(`There is no option ${name}: write ${what}.`);
  if (known === OPTIONS) {
    const group = Object.keys(GROUPS).find((group) => GROUPS[group].includes(name));
    if (group) write(`${group}: { ${name}: ${show(value)} }`);
    if (/^on[a-z]+$/.test(name)) write(`socket.${name} = …`);
  }
  if (Object.hasOwn(OTHER_NAMES, name)) write(OTHER_NAMES[name]);
  const meant = known.find((other) => isNear(name.toLowerCase(), other.toLowerCase()));
  if (meant) write(meant);
}

function checkGroup(name, group) {
  if (group === undefined || (name === "heartbeat" && (group === null || typeof group === "boolean"))) return;
  const [first] = GROUPS[name];
  const example = `{ ${first}: ${typeof group === "number" ? group : defaults[name][first]} }`;
  if (!isGroup(group)) refuse(`${name} has to be ${name === "heartbeat" ? "true, false or " : ""}an object such as ${example}, and is ${show(group)}.`);
  for (const [key, value] of given(group)) {
    const option = `${name}.${key}`;
    if (!GROUPS[name].includes(key)) refuse(`There is no option ${option}: the names are ${GROUPS[name].join(", ")}.`);
    if (key === "ping" || key === "pong") checkFunction(option, value, key === "ping" ? '() => "ping"' : '(data) => data === "pong"');
    else if (key !== "whenFull") checkNumber(option, value);
  }
  if (group.silence !== undefined && given(group).length > 1) refuse("heartbeat.silence sends no pings: leave the other options of heartbeat out.");
  checkOrder(name, group);
}

function checkOrder(name, group) {
  for (const [lower, upper] of ORDERED[name] ?? []) {
    if (group[lower] > group[upper]) refuse(`${name}.${lower} (${group[lower]}) must not be above ${name}.${upper} (${group[upper]}).`);
  }
  // No delay is below the floor, which would leave `max` without effect, whichever of the two is the default.
  const { floor, max } = { ...defaults.backoff, ...Object.fromEntries(given(group)) };
  if (name === "backoff" && floor > max) refuse(`backoff.floor (${floor}) must not be above backoff.max (${max}): give both.`);
}

function checkValues({ debug, outbox, reconnect, shouldReconnect, signal, WebSocket }) {
  if (![undefined, "refuse", "drop-oldest"].includes(outbox?.whenFull)) refuse('outbox.whenFull has to be "refuse" or "drop-oldest".');
  for (const [name, value] of Object.entries({ reconnect, debug })) {
    if (!["undefined", "boolean"].includes(typeof value)) refuse(`${name} has to be true or false, and is ${show(value)}.`);
  }
  checkFunction("shouldReconnect", shouldReconnect, "() => false");
  if (signal && typeof signal.addEventListener !== "function") refuse("signal has to be an AbortSignal: pass controller.signal.");
  if (WebSocket && typeof WebSocket !== "function") refuse(`The option WebSocket has to be a class, and is ${show(WebSocket)}.`);
}

function checkNumber(name, value) {
  if (value !== undefined && !(typeof value === "number" && value >= 0)) refuse(`${name} has to be a number from 0 on, and is ${show(value)}.`);
}

function checkFunction(name, value, example) {
  if (value !== undefined && typeof value !== "function") refuse(`${name} has to be a function such as ${example}, and is ${show(value)}.`);
}

function refuse(sentence) {
  throw new TypeError(sentence);
}

/** What is not left out: `undefined` stands for the default. */
const given = (options) => Object.entries(options).filter(([, value]) => value !== undefined);

const isGroup = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const show = (value) => (typeof value === "string" ? JSON.stringify(value) : typeof value === "function" ? "a function" : String(value));

/** Whether two names differ in at most two letters that were left out, added or mistaken (Levenshtein's distance). */
function isNear(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (const [place, wanted] of [...other].entries()) {
      next.push(Math.min(row[place] + (letter === wanted ? 0 : 1), row[place + 1] + 1, next[place] + 1));
    }
    row = next;
  }
  return row.at(-1) <= Math.min(2, other.length / 3);
}
