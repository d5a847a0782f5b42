// Two facts shape this file. Making and dispatching a second MessageEvent for each message costs more than all the rest of a
// message's way; and an event of the browser's socket names that socket as its target. So the browser's own event is passed
// on, with a prototype that names the right target, to a list of listeners that is kept here.

/** The event whose propagation a listener has just stopped. */
let stopped;

/** An EventTarget that passes on another one's events as its own. */
export class Emitter extends EventTarget {
  /** Listeners by type, in order. An array is never changed while it stands here, so that dispatching needs no copy of it. */
  #listeners = new Map();
  /** The records of the `on…` handlers, by type. */
  #handlers = {};
  /** What makes another target's event one of this one, by type. */
  #prototypes = {};

  /** Passes on an event that another target is dispatching. */
  static pass;
  /** Makes the `on…` attributes of a class. */
  static attributes;

  addEventListener(type, callback, options) {
    if (callback == null) return;
    if (typeof callback !== "function" && typeof callback !== "object") {
      throw new TypeError("The listener has to be a function or an object with a function handleEvent.");
    }
    const { capture, once, passive, signal } = typeof options === "object" && options !== null ? options : { capture: options };
    if (signal?.aborted) return;
    type = String(type);
    if (this.#find(type, callback, !!capture)) return;
    const record = { callback, capture: !!capture, once: !!once, passive: !!passive };
    this.#add(type, record);
    signal?.addEventListener("abort", () => this.#remove(type, record), { once: true });
  }

  removeEventListener(type, callback, options) {
    type = String(type);
    const capture = !!(typeof options === "object" && options !== null ? options.capture : options);
    const record = this.#find(type, callback, capture);
    if (record) this.#remove(type, record);
  }

  #find(type, callback, capture) {
    return this.#listeners
      .get(type)
      ?.find((record) => !record.isHandler && record.callback === callback && record.capture === capture);
  }

  #add(type, record) {
    const records = this.#listeners.get(type);
    // An event that is made here is dispatched by the browser, which sets its target and phase, and comes back to the list.
    if (!records) super.addEventListener(type, (event) => this.#relay(event));
    this.#listeners.set(type, [...(records ?? []), record]);
  }

  #remove(type, record) {
    record.isRemoved = true;
    this.#listeners.set(
      type,
      this.#listeners.get(type).filter((other) => other !== record),
    );
  }

  #relay(event) {
    event.stopImmediatePropagation = stop;
    this.#run(event.type, event);
    delete event.stopImmediatePropagation;
  }

  #pass(type, event) {
    const prototype = (this.#prototypes[type] ??= prototypeFor(this, Object.getPrototypeOf(event)));
    if (Object.getPrototypeOf(event) !== prototype) Object.setPrototypeOf(event, prototype);
    this.#run(type, event);
  }

  #run(type, event) {
    const records = this.#listeners.get(type);
    if (!records) return;
    const hasCapture = records.some((record) => record.capture);
    if (hasCapture) this.#call(records, type, event, true);
    if (!hasCapture || stopped !== event) this.#call(records, type, event, false);
    stopped = undefined;
  }

  #call(records, type, event, capture) {
    for (const record of records) {
      if (record.capture !== capture || record.isRemoved) continue;
      if (record.once) this.#remove(type, record);
      const { callback } = record;
      try {
        if (typeof callback === "function") {
          const result = callback.call(this, event);
          if (record.isHandler && result === false) event.preventDefault();
        } else if (!record.isHandler) {
          callback.handleEvent(event);
        }
      } catch (error) {
        report(error);
      }
      if (stopped === event) return;
    }
  }

  #setHandler(type, value) {
    const record = this.#handlers[type];
    const callback = typeof value === "function" || typeof value === "object" ? value : null;
    if (callback === null) {
      if (record) this.#remove(type, record);
      delete this.#handlers[type];
    } else if (record) {
      record.callback = callback;
    } else {
      this.#add(type, (this.#handlers[type] = { callback, capture: false, isHandler: true }));
    }
  }

  static {
    Emitter.pass = (emitter, type, event) => emitter.#pass(type, event);
    Emitter.attributes = (target, types) => {
      for (const type of types) {
        Object.defineProperty(target.prototype, `on${type}`, {
          get() {
            return this.#handlers[type]?.callback ?? null;
          },
          set(value) {
            this.#setHandler(type, value);
          },
          enumerable: true,
          configurable: true,
        });
      }
    };
  }
}

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

/** `currentTarget` and the path are empty once the event has been dispatched, as the browser says by its own. */
function prototypeFor(target, parent) {
  const isPassing = (event) => Reflect.get(parent, "currentTarget", event) !== null;
  const getter = (get) => ({ get, enumerable: true, configurable: true });
  return Object.create(parent, {
    target: getter(() => target),
    srcElement: getter(() => target),
    currentTarget: getter(function () {
      return isPassing(this) ? target : null;
    }),
    composedPath: {
      value() {
        return isPassing(this) ? [target] : [];
      },
    },
    stopImmediatePropagation: { value: stop },
  });
}
