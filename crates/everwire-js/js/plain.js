import { pass } from "./emitter.js";
import { closed, closeWith, DISPOSE, opened } from "./ending.js";
import { closeEvent, dispatch, event } from "./events.js";
import { jsonView } from "./json.js";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

/** Every socket of the classes below, since they do not inherit from EverSocket. */
export const plainSockets = new WeakSet();

/**
 * The class of a socket that is never made again: the browser's own, so that no page can tell it from that, and what EverSocket adds
 * where it cannot get in the way.
 */
export function plainClass(WebSocket, signal) {
  class Plain extends WebSocket {
    constructor(url) {
      super(...arguments);
      plainSockets.add(this);
      if (signal) closeWith(this, signal);
    }

    /** There is never another connection. */
    reconnect() {}

    ready() {
      return opened(this);
    }

    json(options) {
      return jsonView(this, options);
    }

    [DISPOSE]() {
      return closed(this);
    }
  }
  return declare(Plain);
}

/**
 * Has an EverSocket dispatch what the platform's socket dispatches, and gives that socket: it is all the driver that is needed where no
 * second one follows. This serves classes that extend EverSocket, which the browser's cannot be put below.
 */
export function passOn(target, socket) {
  socket.onopen = () => dispatch(target, event("open"));
  socket.onmessage = (event) => pass(target, event, event.data);
  socket.onerror = ({ message }) => dispatch(target, event("error", message && { message }));
  socket.onclose = (event) => dispatch(target, closeEvent(event));
  return socket;
}

/**
 * Declares a class as WebIDL has it: by its public name, which a minifier takes away, with constants that nobody can redefine, and with
 * attributes of its own. Methods are inherited, so that a change of the parent's reaches them.
 */
export function declare(Class) {
  Object.defineProperty(Class, "name", { value: "EverSocket", configurable: true });
  const { prototype } = Class;
  for (const [name, value] of Object.entries(STATES)) {
    for (const holder of [Class, prototype]) Object.defineProperty(holder, name, { value, enumerable: true });
  }
  for (let parent = prototype; (parent = Object.getPrototypeOf(parent)); ) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(parent))) {
      if (descriptor.get && descriptor.enumerable && !Object.hasOwn(prototype, name)) Object.defineProperty(prototype, name, descriptor);
    }
  }
  return Class;
}
