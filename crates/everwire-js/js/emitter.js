// Two facts shape this file. Making and dispatching a second MessageEvent costs more than all the rest of a message's way (2 µs in
// Chromium); and an event of the browser's socket names that socket as its target. So the browser's own event is passed on, with
// a prototype that names the right target, to a list of listeners that is kept here.

/** The event whose propagation a listener has just stopped. */
let stopped;
/** The message that is being passed on. Chromium takes long to read it anew from an event whose prototype was changed. */
let passing;
let passingData;

/** An EventTarget that passes on another one's events as its own. */
export class Emitter extends EventTarget {
  /** Listeners by type, those that capture first. An array that stands here is never changed, so dispatching needs no copy. */
  #listeners = new Map();
  /** The `on…` handlers, by type. */
  #handlers = {};
  /** What makes another target's event one of this one, by type. */
  #prototypes = {};

  /** Passes on an event that another target is dispatching. */
  static pass;
  /** The same for a message that has been read. */
  static passMessage;
  /** Makes the `on…` attributes of a class. */
  static attributes;

  addEventListener(type, callback, options = undefined) {
    if (arguments.length < 2) throw new TypeError("2 arguments required: addEventListener(type, listener).");
    if (callback == null) return;
    if (typeof callback !== "function" && typeof callback !== "object") {
      throw new TypeError("The listener has to be a function, or an object with the function handleEvent.");
    }
    const { capture, once, signal } = flags(options);
    type = String(type);
    if (signal?.aborted || this.#find(type, callback, capture)) return;
    const record = { callback, capture: !!capture, once };
    this.#add(type, record);
    signal?.addEventListener("abort", () => this.#remove(type, record), { once: true });
  }

  removeEventListener(type, callback, options) {
    type = String(type);
    this.#remove(type, this.#find(type, callback, flags(options).capture));
  }

  #of(type) {
    return this.#listeners.get(type) ?? [];
  }

  #find(type, callback, capture) {
    return this.#of(type).find((record) => record.callback === callback && record.capture === !!capture);
  }

  #add(type, record) {
    // An event that is made here is dispatched by the browser, which sets its target and phase, and comes back to the list.
    if (!this.#listeners.has(type)) super.addEventListener(type, (event) => this.#relay(event));
    const records = [...this.#of(type), record];
    // At its target an event meets the listeners that capture first (DOM, "dispatch").
    this.#listeners.set(type, record.capture ? records.sort((one, other) => other.capture - one.capture) : records);
  }

  #remove(type, record) {
    if (!record) return;
    record.isRemoved = true;
    this.#listeners.set(
      type,
      this.#of(type).filter((other) => other !== record),
    );
  }

  #relay(event) {
    event.stopImmediatePropagation = stop;
    this.#run(event.type, event);
    delete event.stopImmediatePropagation;
  }

  #pass(type, event) {
    Object.setPrototypeOf(event, (this.#prototypes[type] ??= prototypeFor(this, Object.getPrototypeOf(event))));
    this.#run(type, event);
  }

  #run(type, event) {
    const records = this.#listeners.get(type);
    if (!records) return;
    for (const record of records) {
      if (record.isRemoved) continue;
      if (record.once) this.#remove(type, record);
      const { callback } = record;
      try {
        if (typeof callback === "function") callback.call(this, event);
        else callback.handleEvent(event);
      } catch (error) {
        report(error);
      }
      if (stopped === event || (record.capture && event.cancelBubble)) break;
    }
    stopped = undefined;
  }

  #setHandler(type, given) {
    const value = typeof given === "function" || typeof given === "object" ? given : null;
    const handler = this.#handlers[type];
    if (handler && value) {
      handler.value = value;
    } else if (handler) {
      this.#remove(type, handler.record);
      delete this.#handlers[type];
    } else if (value) {
      const handler = { value };
      const callback = (event) => {
        if (typeof handler.value === "function" && handler.value.call(this, event) === false) event.preventDefault();
      };
      handler.record = { callback, capture: false };
      this.#handlers[type] = handler;
      this.#add(type, handler.record);
    }
  }

  static {
    Emitter.pass = (emitter, type, event) => emitter.#pass(type, event);
    Emitter.passMessage = (emitter, event, data) => {
      passing = event;
      passingData = data;
      emitter.#pass("message", event);
      passing = passingData = undefined;
    };
    Emitter.attributes = (target, types) => {
      for (const type of types) {
        const name = `on${type}`;
        const attribute = {
          get [name]() {
            return this.#handlers[type]?.value ?? null;
          },
          set [name](value) {
            this.#setHandler(type, value);
          },
        };
        Object.defineProperty(target.prototype, name, Object.getOwnPropertyDescriptor(attribute, name));
      }
    };
    for (const name of ["addEventListener", "removeEventListener"]) Object.defineProperty(this.prototype, name, { enumerable: true });
  }
}

const flags = (options) => (typeof options === "object" && options !== null ? options : { capture: options });

/** Reports an exception of a listener, which must not keep others from being called. */
export const report = (error) =>
  globalThis.reportError
    ? reportError(error)
    : queueMicrotask(() => {
        throw error;
      });

function stop() {
  stopped = this;
  Event.prototype.stopImmediatePropagation.call(this);
}

function prototypeFor(target, parent) {
  const prototype = Object.create(parent, { stopImmediatePropagation: { value: stop } });
  const get = (name, get) => Object.defineProperty(prototype, name, { get, enumerable: true });
  // These are empty once the event has been dispatched, as those of an event that was not passed on.
  const isDispatched = (event) => Reflect.get(parent, "currentTarget", event) === null;
  get("target", () => target);
  get("srcElement", () => target);
  get("currentTarget", function () {
    return isDispatched(this) ? null : target;
  });
  get("composedPath", function () {
    return () => (isDispatched(this) ? [] : [target]);
  });
  if ("data" in parent) {
    get("data", function () {
      return this === passing ? passingData : Reflect.get(parent, "data", this);
    });
  }
  return prototype;
}
