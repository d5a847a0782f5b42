// Two facts shape this file. Making and dispatching a second MessageEvent costs more than all the rest of a message's way (2 µs in
// Chromium); and an event of the browser's socket names that socket as its target. So the browser's own event is passed on, with
// a prototype that names the right target, to a list of listeners that is kept here. All other events are left to the browser.

/** The event whose propagation a listener has just stopped. */
let stopped;
/** The event that is being passed on, and its data: Chromium takes long to read it from an event whose prototype was changed. */
let passing;
let passingData;

/** Passes on a message that another target is dispatching. */
export let pass;

/** An EventTarget that passes on another one's messages as its own. */
export class Emitter extends EventTarget {
  /** The listeners to messages, those that capture first. An array that stands here is never changed: dispatching needs no copy. */
  #listeners = [];
  /** The `on…` handlers, by type. */
  #handlers = {};
  /** What makes another target's event one of this one. */
  #prototype;

  /** Makes the `on…` attributes of a class. */
  static attributes;

  addEventListener(type, callback, options) {
    if (!isForMessages(arguments)) return super.addEventListener(...arguments);
    const { capture, once, signal } = flags(options);
    if (signal?.aborted || this.#find(callback, capture)) return;
    const listener = { callback, capture: !!capture, once };
    // A message that is dispatched by a page comes from the browser, which sets its target and phase.
    if (!this.#prototype) super.addEventListener(type, (event) => this.#relay(event));
    this.#prototype ??= prototypeFor(this);
    // At its target an event meets the listeners that capture first (DOM, "dispatch").
    this.#listeners = [...this.#listeners, listener].sort((one, other) => other.capture - one.capture);
    signal?.addEventListener("abort", () => this.#remove(listener), { once: true });
  }

  removeEventListener(type, callback, options) {
    if (!isForMessages(arguments)) return super.removeEventListener(...arguments);
    const listener = this.#find(callback, flags(options).capture);
    if (listener) this.#remove(listener);
  }

  #find(callback, capture) {
    return this.#listeners.find((listener) => listener.callback === callback && listener.capture === !!capture);
  }

  #remove(listener) {
    listener.isRemoved = true;
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }

  #relay(event) {
    event.stopImmediatePropagation = stop;
    this.#run(event);
    delete event.stopImmediatePropagation;
  }

  #run(event) {
    let hasCaptured = false;
    for (const listener of this.#listeners) {
      if (listener.isRemoved) continue;
      if (hasCaptured && !listener.capture && event.cancelBubble) break;
      hasCaptured = listener.capture;
      if (listener.once) this.#remove(listener);
      const { callback } = listener;
      try {
        if (typeof callback === "function") callback.call(this, event);
        else callback.handleEvent(event);
      } catch (error) {
        report(error);
      }
      if (stopped === event) break;
    }
    stopped = undefined;
  }

  #setHandler(type, given) {
    const value = typeof given === "function" || typeof given === "object" ? given : null;
    const handler = this.#handlers[type];
    if (handler && value) {
      handler.value = value;
    } else if (handler) {
      this.removeEventListener(type, handler.listen);
      delete this.#handlers[type];
    } else if (value) {
      const handler = { value };
      handler.listen = (event) => {
        if (typeof handler.value === "function" && handler.value.call(this, event) === false) event.preventDefault();
      };
      this.#handlers[type] = handler;
      this.addEventListener(type, handler.listen);
    }
  }

  static {
    pass = (emitter, event, data) => {
      if (!emitter.#prototype) return;
      Object.setPrototypeOf(event, emitter.#prototype);
      passing = event;
      passingData = data;
      emitter.#run(event);
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

/** Whether a listener is one to messages. The browser takes the others, and refuses what is none. */
const isForMessages = ([type, callback]) => `${type}` === "message" && (typeof callback === "function" || (typeof callback === "object" && callback !== null));

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

function prototypeFor(target) {
  const parent = MessageEvent.prototype;
  const original = (name, event) => Reflect.get(parent, name, event);
  const getters = {
    target: () => target,
    srcElement: () => target,
    // These are empty once the event has been dispatched, as those of an event that was not passed on.
    currentTarget: (event) => original("currentTarget", event) && target,
    composedPath: (event) => () => (original("currentTarget", event) ? [target] : []),
    data: (event) => (event === passing ? passingData : original("data", event)),
  };
  const prototype = Object.create(parent, { stopImmediatePropagation: { value: stop } });
  for (const [name, read] of Object.entries(getters)) {
    Object.defineProperty(prototype, name, {
      get() {
        return read(this);
      },
      enumerable: true,
    });
  }
  return prototype;
}
