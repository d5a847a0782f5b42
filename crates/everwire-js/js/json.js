import { byteLength } from "./arguments.js";
import { checks } from "./checks.js";
import { dispatch, event } from "./events.js";

/** How many messages may wait for loops that have fallen behind. */
const MAX_UNREAD = 65_536;

/**
 * A socket's messages as values. One view has one queue, and each message goes to one loop over it: to the call of `next` that has
 * waited longest. It listens while a loop is under way.
 */
export function jsonView(socket, options) {
  checks?.json(options);
  /** What no loop has taken yet. It stays here when a loop ends, for the next one. */
  const unread = [];
  /** The calls of `next` that wait: the loop, and the function that settles what it was given. */
  let waiting = [];
  /** The loops that have begun, and not ended. */
  const loops = new Set();
  /** What the socket had received when the last loop ended. */
  let left;

  const drop = (fields) => dispatch(socket, event("drop", { reason: "unread", ...fields }));

  const hear = ({ data }) => {
    unread.push(data);
    serve();
    if (unread.length > (options?.maxUnread ?? MAX_UNREAD)) {
      const data = unread.shift();
      drop({ data, bytes: byteLength(data), messages: 1 });
    }
  };

  const serve = () => {
    while (waiting.length && (unread.length || socket.readyState === 3)) {
      const [loop, resolve] = waiting[0];
      if (unread.length) {
        waiting.shift();
        resolve(read(loop, unread.shift()));
      } else {
        end(loop);
      }
    }
  };

  /** A text that is no JSON makes its loop throw, which then is over. */
  const read = async (loop, data) => {
    try {
      if (typeof data !== "string") throw new SyntaxError("A binary message is no JSON.");
      return { value: JSON.parse(data), done: false };
    } catch (error) {
      end(loop);
      throw error;
    }
  };

  const listen = (how) => {
    socket[`${how}EventListener`]("message", hear);
    socket[`${how}EventListener`]("close", serve);
  };

  const begin = (loop) => {
    if (!loops.size) {
      const { messagesIn, bytesIn } = socket.stats ?? {};
      if (messagesIn > left?.messagesIn) drop({ bytes: bytesIn - left.bytesIn, messages: messagesIn - left.messagesIn });
      listen("add");
    }
    loops.add(loop);
  };

  /** Settles what waits in a loop, and listens no more after the last one. */
  const end = (loop) => {
    loop.isOver = true;
    for (const [of, resolve] of waiting) if (of === loop) resolve({ done: true });
    waiting = waiting.filter(([of]) => of !== loop);
    if (!loops.delete(loop) || loops.size) return;
    listen("remove");
    left = socket.stats;
  };

  return {
    send(value, options) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError("JSON cannot hold this value: send null.");
      return socket.send(text, options);
    },

    /** Not a generator, whose `return` would wait for a `next` that is under way. */
    [Symbol.asyncIterator]() {
      const state = {};
      const loop = {
        next: () =>
          new Promise((resolve) => {
            if (state.isOver) return resolve({ done: true });
            begin(state);
            waiting.push([state, resolve]);
            serve();
          }),
        async return(value) {
          end(state);
          return { value, done: true };
        },
        [Symbol.asyncIterator]: () => loop,
      };
      return loop;
    },
  };
}
