// What a conformance test is handed: the class under test, addresses, and ways to wait and compare. It runs in a page or a worker.

/** Where the class under test differs on purpose, the row of the table in docs/websocket-differences.md says how. */
export function differs(row, run) {
  return Object.assign(run, { differs: row });
}

/** A test that needs a window, or that would be no other in a worker. */
export function inWindow(run) {
  return Object.assign(run, { inWindow: true });
}

/** Delays in ms that let a test see several attempts. */
export const quick = { backoff: { floor: 5, first: 20, max: 40, quick: 10, quickAfterSilence: 10 } };

let dials = 0;

export class Check {
  #sockets = [];
  #endings = [];
  #isOver = new AbortController();

  constructor(Socket) {
    this.Socket = Socket;
  }

  /** An address that no other test uses: Firefox makes the next dial wait where one to the same address has failed. */
  at(path, query = {}) {
    dials += 1;
    this.id = `${Math.random().toString(36).slice(2)}-${dials}`;
    const url = new URL(`${path}/${this.id}`, location.href.replace(/^http/, "ws"));
    for (const [name, value] of Object.entries({ ...query, id: this.id })) {
      url.searchParams.set(name, value);
    }
    return url.href;
  }

  /** A socket that is closed when the test ends. */
  dial(url, ...rest) {
    return this.track(new this.Socket(url, ...rest));
  }

  /** Closes a socket when the test ends, or at once where it has: one that went on dialling would hold up those of other tests. */
  track(socket) {
    if (this.#isOver.signal.aborted) {
      socket.close();
    }
    this.#sockets.push(socket);
    return socket;
  }

  async open(path = "/echo", query = {}, ...rest) {
    const socket = this.dial(this.at(path, query), ...rest);
    await this.next(socket, "open");
    return socket;
  }

  /** A socket that has been closed from this side. */
  async closed() {
    const socket = await this.open();
    socket.close();
    await this.next(socket, "close");
    return socket;
  }

  next(target, type) {
    return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
  }

  /** The types of all events of a socket, as they come. */
  log(socket, types = ["open", "message", "error", "close"]) {
    const log = [];
    for (const type of types) {
      socket.addEventListener(type, () => log.push(type));
    }
    return log;
  }

  /** What the server saw of the latest dial, when that is closed. */
  async seen(id = this.id) {
    return (await this.#ask("/seen", { id })).at(-1);
  }

  /** Has the server do something with the sockets that have the `id` of the latest address, and tells what came over each. */
  async server(what, query = {}) {
    return this.#ask("/do", { id: this.id, what, ...query });
  }

  /** Given up when the test ends: a browser has few connections to a server, and one that waits for good is missed by the others. */
  async #ask(path, query) {
    return (await fetch(`${path}?${new URLSearchParams(query)}`, { signal: this.#isOver.signal })).json();
  }

  /** A socket that reconnects without much delay. */
  ever(path = "/echo", options = {}, query = {}, protocols = undefined) {
    return this.dial(this.at(path, query), protocols, { ...quick, ...options });
  }

  /** Resolves when something holds that an event or a turn brings about. */
  async until(holds) {
    for (let result; ; await new Promise((resolve) => setTimeout(resolve, 5))) {
      this.#isOver.signal.throwIfAborted();
      if ((result = await holds())) {
        return result;
      }
    }
  }

  /** Lets everything that is ready to run do so. Ends a test that was given up, which would turn round for good. */
  async turn(times = 1) {
    for (let count = 0; count < times; count += 1) {
      this.#isOver.signal.throwIfAborted();
      await new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(port1.close());
        port2.postMessage(null);
      });
    }
  }

  after(ending) {
    this.#endings.push(ending);
  }

  end() {
    this.#isOver.abort();
    for (const ending of this.#endings) {
      ending();
    }
    for (const socket of this.#sockets) {
      socket.close();
    }
  }

  ok(value, what) {
    if (!value) {
      throw new Error(`${what ?? "it"} does not hold`);
    }
  }

  /** The same, or plain objects and arrays that look the same. */
  equal(actual, expected, what = "value") {
    if (!Object.is(actual, expected) && !(isPlain(expected) && show(actual) === show(expected))) {
      throw new Error(`${what}: ${show(actual)} instead of ${show(expected)}`);
    }
  }

  /** Calls a function that throws: `TypeError`, or the name of a DOMException. */
  throws(name, call, what = String(call)) {
    try {
      call();
    } catch (error) {
      this.equal(error.name, name, `the error of ${what}`);
      if (name !== "TypeError") {
        this.ok(error instanceof DOMException, `a DOMException from ${what}`);
      }
      return error;
    }
    throw new Error(`${what} throws nothing instead of ${name}`);
  }

  /** Collects the arguments of each call of a function of the console, which prints nothing meanwhile. */
  printed(name) {
    const original = console[name];
    const printed = [];
    console[name] = (...args) => printed.push(args);
    this.after(() => (console[name] = original));
    return printed;
  }

  /** Collects what listeners throw, which a browser reports to the global scope. */
  reported(fits) {
    const reported = [];
    const listen = (event) => {
      if (fits(event.error)) {
        event.preventDefault();
        reported.push(event.error);
      }
    };
    globalThis.addEventListener("error", listen);
    this.after(() => globalThis.removeEventListener("error", listen));
    return reported;
  }
}

const isPlain = (value) => Array.isArray(value) || (typeof value === "object" && value?.constructor === Object);

function show(value) {
  if (typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "function" || typeof value !== "object" || value === null || value.constructor === undefined) {
    return String(value);
  }
  return isPlain(value) ? JSON.stringify(value) : Object.prototype.toString.call(value);
}
