import * as code from "../build/codes.js";
import { report } from "./events.js";
import { createLink } from "./link.js";
import { createCore, operandsOf, trapListeners, trapped, whenLoaded } from "./module.js";
import { watchPage } from "./page.js";

/** Browsers keep a timeout in a signed 32-bit number and fire at once above it. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * Runs a core for one link: turns its actions into calls of the browser's WebSocket and timers, their events into inputs, and decides
 * nothing. `provide` gives the address and the subprotocols of an attempt, or a promise of them; `ping` the text of a ping. `own` are the
 * actions of what it is for, `receive` takes the events of messages, `begin` is called with a core that is not opened yet, and `fail` where
 * there is no core any more.
 */
export function createMachine(WebSocket, provide, options, ping, own, receive, begin, fail) {
  /** The exports of the wasm module, while it has a core for this link, and the number of that core. */
  let wasm, core;
  let isActing, page, timer;
  /** When the last socket was dialled, which counts for the least time between two dials where another core takes over. */
  let dialledAt = -Infinity;

  const machine = {
    /** The time of the latest input. */
    now: 0,

    /** The operands; nothing where there is no core. */
    get operands() {
      return wasm && operandsOf(wasm);
    },

    /** Loads the module where that is to be done, makes a core and opens the connection, if that is still wanted then. */
    start(isWanted) {
      whenLoaded(
        () => isWanted() && !wasm && open(),
        (error) => isWanted() && fail("cannot be loaded; give init() its address, or import everwire/inline", error),
      );
    },

    /** Calls into wasm. What is thrown there, and nowhere else, is a trap. */
    call(name, ...args) {
      try {
        return wasm?.[name](core, ...args);
      } catch (error) {
        trapped(error);
      }
    },

    /** Hands an input to the core, and does what follows. */
    handle(input, ...given) {
      machine.now = performance.now();
      const status = machine.call("handle", machine.now, input, ...given);
      if (status) machine.act();
      return status;
    },

    /** Does what the core says, one thing after the other, whatever input is handed in meanwhile. */
    act() {
      if (isActing) return;
      isActing = true;
      let action;
      while ((action = machine.call("poll"))) {
        const operands = operandsOf(wasm);
        try {
          actions[action](operands[0], operands[1], operands[2], operands[3], operands[4]);
        } catch (error) {
          // The platform does not do what it has to. Whatever was handed to it may be lost. The core knows already of a socket that is gone.
          if (link.attempt) link.fail(error, code.INPUT_CLOSED, -1006, Infinity);
        }
      }
      isActing = false;
      if (wasm) own[code.ACTION_NONE]?.(operandsOf(wasm)[0]);
    },

    /** What is reported of a lost connection or a failed attempt, and of the one that follows. */
    dropOf(cause, attempt, at) {
      const { isError, ...ending } = link.ending;
      const delay = at < 0 ? Infinity : Math.round(Math.max(at - machine.now, 0));
      return { ...ending, cause: code.CAUSES[cause], attempt, delay };
    },

    /** Gives the core and all that it needs back. */
    release() {
      clearTimeout(timer);
      page?.abort();
      trapListeners.delete(onTrap);
      machine.call("release");
      wasm = undefined;
    },
  };

  const link = (machine.link = createLink(WebSocket, provide, machine.handle, receive));

  const actions = {
    [code.ACTION_DIAL](socket, failures) {
      dialledAt = machine.now;
      link.dial(socket, failures);
    },
    [code.ACTION_PING](number) {
      try {
        link.socket.send(ping(number));
      } catch (error) {
        report(error);
      }
    },
    [code.ACTION_MEASURE](socket) {
      machine.handle(code.INPUT_BUFFERED, socket, link.measure());
    },
    [code.ACTION_DETACH]: link.detach,
    [code.ACTION_TIMER](at) {
      clearTimeout(timer);
      // Rounded up: a timer that fired just before its deadline would be set again for nothing.
      const delay = Math.min(Math.ceil(Math.max(at - machine.now, 0)), LONGEST_TIMEOUT);
      timer = setTimeout(() => machine.handle(code.INPUT_WAKE, Date.now()), delay);
    },
    ...own,
  };

  function open() {
    try {
      [wasm, core] = createCore(options, onTrap);
    } catch (error) {
      trapped(error);
      return fail("cannot be started", error);
    }
    page = new AbortController();
    watchPage(machine.handle, page.signal);
    begin(wasm, core);
    machine.handle(code.INPUT_OPEN, performance.now() - dialledAt);
  }

  /** The module has trapped, and the core in it is lost. */
  function onTrap(error) {
    wasm = undefined;
    fail("has trapped", error);
  }

  return machine;
}

/** The statistics by their names, without those that are not known. */
export function statsOf(values) {
  const named = values.map((value, place) => [code.STATS[place], value]);
  const known = (...range) => Object.fromEntries(named.slice(...range).filter(([, value]) => !isNaN(value)));
  return { latency: known(0, code.STAT_OPENED), ...known(code.STAT_OPENED) };
}
