import { once } from "node:events";

import WebSocket from "ws";

/** A connection to the browser's debugging protocol. */
export class Session {
  #socket;
  #calls = new Map();
  #listeners = new Set();
  #lastId = 0;

  static async connect(url) {
    const session = new Session();
    session.#socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 28 });
    session.#socket.on("message", (data) => session.#receive(JSON.parse(data)));
    session.#socket.on("close", () => session.#end());
    await once(session.#socket, "open");
    return session;
  }

  call(method, params = {}, sessionId) {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#calls.set(id, { method, resolve, reject }));
  }

  /** The next event of a name. */
  once(method, sessionId) {
    return new Promise((resolve) => {
      const listener = (message) => {
        if (message.method !== method || message.sessionId !== sessionId) return;
        this.#listeners.delete(listener);
        resolve(message.params);
      };
      this.#listeners.add(listener);
    });
  }

  #receive(message) {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
    else call.resolve(message.result);
  }

  #end() {
    for (const { method, reject } of this.#calls.values()) reject(new Error(`${method}: the browser is gone`));
    this.#calls.clear();
  }
}
