// Three facts shape this file. Making and dispatching a second MessageEvent costs more than all the rest of a message's way (2 µs in
// Chromium). An event of the browser's socket names that socket as its target. And libraries patch `addEventListener` of the platform
// to keep the context in which a listener was added (zone.js, tracing), which the platform does by itself for what it knows of, such as
// `signal`. So every listener is the platform's, and the browser's own event is passed on, with a prototype that names the right target:
// what is dispatched for it is an empty event, one and the same for all messages, which costs far less than a new one with data. Where
// `onmessage` is all that listens, even that is left out, since it is twice the cost of everything else: the handler is called directly.
import { dispatch, report } from "./events.js";

/** From this size on a message is not kept until the next one. */
const LARGE = 2 ** 20;

/** What is dispatched for a message that is passed on, once there was one. */
let standIn;
/**
 * The latest message that was passed on, and what is dispatched for it, if anything is. A small one stays here: to reset this after each
 * takes Chromium as long as all that JavaScript does for a message.
 */
let passed, dispatched;
/** Its data, since Chromium takes long to read that from an event whose prototype was changed. */
let passedData;

/** Passes on a message that another target is dispatching. */
export let pass;
/** Makes the `on…` attributes of a class that extends Emitter. */
export let addHandlers;

/** An EventTarget that passes on another one's messages as its own. */
export class Emitter extends EventTarget {
  /** What is added to the platform's list for each listener to messages: adding one twice has to add the same twice. */
  #added = new WeakMap();
  /** The `on…` handlers, by type. */
  #handlers = {};
  /** What makes another target's event one of this one. */
  #prototype;
  /** Whether the messages of the other target are the platform's: those of one class of sockets are all of one kind. */
  #isPlatforms;
  /** Whether anything but the handler has ever listened to messages: the platform does not say when it stops to. */
  #hasListeners = false;

  addEventListener(type, callback, options) {
    if (!isForMessages(arguments)) return super.addEventListener(...arguments);
    this.#prototype ??= prototypeFor(this);
    this.#hasListeners ||= callback !== this.#handlers.message?.listen;
    if (!this.#added.has(callback)) this.#added.set(callback, (event) => this.#call(callback, event));
    super.addEventListener(type, this.#added.get(callback), options);
  }

  removeEventListener(type, callback, options) {
    if (!isForMessages(arguments)) return super.removeEventListener(...arguments);
    super.removeEventListener(type, this.#added.get(callback), options);
  }

  #call(callback, event) {
    if (event === dispatched) event = passed;
    if (typeof callback === "function") callback.call(this, event);
    else callback.handleEvent(event);
  }

  #setHandler(type, given) {
    const value = isObject(given) && given;
    const handler = this.#handlers[type];
    if (handler && value) {
      handler.value = value;
      // It keeps its place among the listeners, and what patches `addEventListener` does not see the change. Angular would not redraw.
      handler.zone = globalThis.Zone?.current;
      handler.isPatched ||= handler.zone;
    } else if (handler) {
      this.removeEventListener(type, handler.listen);
      delete this.#handlers[type];
    } else if (value) {
      const handler = { value, isPatched: globalThis.Zone };
      handler.listen = (event) => {
        const { value, zone } = handler;
        if (typeof value !== "function") return;
        const result = zone ? zone.run(value, this, [event]) : value.call(this, event);
        if (result === false) event.preventDefault();
      };
      this.#handlers[type] = handler;
      this.addEventListener(type, handler.listen);
    }
  }

  static {
    pass = (emitter, event, data, size) => {
      const prototype = emitter.#prototype;
      if (!prototype) return;
      if (!(emitter.#isPlatforms ??= isPlatforms(event))) return void dispatch(emitter, new MessageEvent("message", { data }));
      Object.setPrototypeOf(event, prototype);
      const outer = passed;
      const outerData = passedData;
      const outerDispatched = dispatched;
      passed = event;
      passedData = data;
      const handler = emitter.#handlers.message;
      if (handler && !handler.isPatched && !emitter.#hasListeners && !dispatched) {
        try {
          if (typeof handler.value === "function") handler.value.call(emitter, event);
        } catch (error) {
          report(error);
        }
        if (!(size < LARGE)) passed = passedData = undefined;
      } else {
        // A listener may bring about the next message before it returns, with classes other than the browser's.
        dispatched = dispatched ? new Event("message") : (standIn ??= new Event("message"));
        dispatch(emitter, dispatched);
        dispatched = outerDispatched;
        passedData = outerData;
        passed = outer;
      }
    };
    addHandlers = (prototype, types) => {
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
        Object.defineProperty(prototype, name, Object.getOwnPropertyDescriptor(attribute, name));
      }
    };
    show(this.prototype);
  }
}

/** Has for-in find the members of a class, which hides them, as it finds those of the browser's interfaces. */
export function show(prototype) {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (name !== "constructor") Object.defineProperty(prototype, name, { enumerable: true });
  }
}

/** Whether a listener is one to messages. The browser takes the others, and refuses what is none. */
const isForMessages = ([type, callback]) => `${type}` === "message" && isObject(callback);

/** A function is an object, too. */
const isObject = (value) => Object(value) === value;

/** Whether the platform knows an event as one of its own, a frame's included. Those of the package ws are events of its own. */
function isPlatforms(event) {
  try {
    Reflect.get(MessageEvent.prototype, "source", event);
    return true;
  } catch {
    return false;
  }
}

function prototypeFor(target) {
  const parent = MessageEvent.prototype;
  const stop = (name) =>
    function () {
      parent[name].call(this);
      if (this === passed) dispatched?.[name]();
    };
  return {
    __proto__: parent,
    get target() {
      return target;
    },
    get srcElement() {
      return target;
    },
    // These are empty once the event has been dispatched, as those of an event that was not passed on.
    get currentTarget() {
      return super.currentTarget && target;
    },
    composedPath() {
      return super.currentTarget ? [target] : [];
    },
    get data() {
      return this === passed ? passedData : super.data;
    },
    stopPropagation: stop("stopPropagation"),
    stopImmediatePropagation: stop("stopImmediatePropagation"),
  };
}
