import { checks } from "../checks.js";
import { DISPOSE } from "../ending.js";
import { dispatch, event } from "../events.js";
import { Reader } from "./channels.js";
import { isName, kinds } from "./codec.js";
import { EverError, invalid } from "./errors.js";
import { Queue } from "./queue.js";
import { createSession, valueOf } from "./session.js";

/** See `types/client.d.ts`, which documents each member. */
export class EverClient extends EventTarget {
  #session;

  constructor(url, options = {}) {
    super();
    checks?.client(url, options);
    const { token, debug, signal, WebSocket = globalThis.WebSocket } = options;
    const log = debug ? (...words) => console.debug("[everwire]", ...words) : undefined;
    this.#session = createSession(this, WebSocket, url, token, options, log);
    whenAborted(signal, this.closed, () => this.close());
  }

  get state() {
    return this.#session.state;
  }

  get session() {
    return this.#session.session;
  }

  get stats() {
    return this.#session.stats;
  }

  get serverTime() {
    return this.#session.serverTime;
  }

  get closed() {
    return this.#session.closed;
  }

  subscribe(channel, options = {}) {
    checks?.subscribe(options);
    return new Subscription(this.#session, named(channel), options);
  }

  presence(channel, options = {}) {
    return new Presence(this.#session, named(channel), options);
  }

  async publish(channel, value, options = {}) {
    checks?.publish(options);
    const { key, timeToLive = NaN, raw } = options;
    return this.#publish(named(channel), payloadOf(value, raw), key, timeToLive);
  }

  async remove(channel, key, { timeToLive = NaN } = {}) {
    return this.#publish(named(channel), undefined, named(key), timeToLive);
  }

  #publish(channel, payload, key, timeToLive) {
    if (key !== undefined) named(key);
    return new Promise((resolve, reject) => this.#session.exchange("publish", timeToLive, { name: channel, key, payload, resolve, reject }));
  }

  request(name, value, options = {}) {
    checks?.request(options);
    const { timeout = NaN, signal, raw } = options;
    const parts = new Queue();
    let count = 0;
    let first, cancel;
    const answer = new Promise((resolve, reject) => {
      const fail = (error) => {
        parts.end(error);
        reject(error);
      };
      const take = (payload, isLast) => {
        try {
          // The end of parts that were all sent before it was known which is the last.
          if (payload !== undefined || !isLast) {
            const part = valueOf(payload, raw);
            if (!count++) first = part;
            parts.push(part);
          }
        } catch (error) {
          return fail(new EverError("undecodable", `The answer is no JSON: ${error.message}`, { cause: error }));
        }
        if (!isLast) return;
        parts.end();
        if (count === 1) resolve(first);
        else reject(new EverError(count ? "several-parts" : "no-answer", `The answer has ${count} parts: read it by for await.`));
      };
      const request = { name: named(name), payload: payloadOf(value ?? null, raw), answer: take, reject: fail };
      cancel = this.#session.exchange("request", timeout, request);
      whenAborted(signal, parts.ended, () => {
        fail(signal.reason);
        cancel();
      });
    });
    // Who reads the parts gets the error from them.
    answer[Symbol.asyncIterator] = () => {
      answer.catch(() => {});
      return parts.loop(cancel);
    };
    return answer;
  }

  reconnect() {
    this.#session.reconnect();
  }

  close() {
    this.#session.close();
  }

  async [DISPOSE]() {
    this.close();
    await this.closed;
  }
}

/** The messages of a channel. */
class Subscription extends EventTarget {
  #session;
  #reader;

  constructor(session, channel, options) {
    super();
    this.channel = channel;
    this.#session = session;
    if (options.from !== undefined && !kinds.cursor(options.from)) throw invalid("from", options.from);
    const reader = (this.#reader = new Reader(options, this, () => reader.entry.pause(), (error) => this.#end(error)));
    session.subscribe(channel, reader);
    whenAborted(options.signal, reader.queue.ended, () => this.close());
  }

  get cursor() {
    return this.#reader.cursor;
  }

  get onmessage() {
    return this.#reader.handler ?? null;
  }

  set onmessage(handler) {
    this.#reader.handler = typeof handler === "function" ? handler : undefined;
    this.#reader.listens = true;
  }

  addEventListener(...listener) {
    this.#reader.listens = true;
    this.#reader.listensToMessages ||= listener[0] === "message";
    super.addEventListener(...listener);
  }

  close() {
    this.#end();
  }

  #end(error) {
    this.#session.unsubscribe(this.#reader);
    this.#reader.end(error);
  }

  [Symbol.asyncIterator]() {
    this.#reader.isRead = true;
    return this.#reader.queue.loop(() => this.close());
  }

  async [DISPOSE]() {
    this.close();
  }
}

/** Who is present in a channel. */
class Presence extends EventTarget {
  /** All members; nothing before the server has sent them. */
  members;
  #session;
  #queue = new Queue();
  #watcher;

  constructor(session, channel, { signal }) {
    super();
    this.channel = channel;
    this.#session = session;
    this.#watcher = {
      push: (members) => {
        this.members = members;
        // A loop that is slow gets the latest list.
        this.#queue.clear();
        this.#queue.push(members);
        dispatch(this, event("change", { members }));
      },
      end: (error) => {
        this.#queue.end(error);
        dispatch(this, event("end", { error }));
      },
    };
    session.watch(channel, this.#watcher);
    whenAborted(signal, this.#queue.ended, () => this.close());
  }

  close() {
    this.#session.unwatch(this.channel, this.#watcher);
    this.#queue.end();
  }

  [Symbol.asyncIterator]() {
    return this.#queue.loop(() => this.close());
  }

  async [DISPOSE]() {
    this.close();
  }
}

/** Calls back when a signal aborts, until `ended`: the signal may outlive what it ends. */
function whenAborted(signal, ended, abort) {
  if (!signal) return;
  if (signal.aborted) return abort();
  signal.addEventListener("abort", abort);
  ended.then(() => signal.removeEventListener("abort", abort));
}

function named(name) {
  if (isName(`${name}`)) return `${name}`;
  throw invalid("name", name);
}

/** A value as it travels. Bytes are copied, since they may have to wait. */
function payloadOf(value, isRaw) {
  if (isRaw) return typeof value === "string" ? value : new Uint8Array(value.buffer ?? value, value.byteOffset, value.byteLength).slice();
  const text = JSON.stringify(value);
  if (text === undefined) throw invalid("value", value);
  return text;
}
