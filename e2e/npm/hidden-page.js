/** The least time between two rings of a hidden page's timers, in ms: Chromium's intensive throttling. */
const MINUTE = 60_000;

/**
 * Gives the global scope the timers and clocks of a page that has been hidden for a while. No timer rings until the test calls
 * `passMinute`; a test that never does proves that what it waited for depends on no timer.
 */
export function hidePage(t) {
  const { setTimeout, clearTimeout } = globalThis;
  const { now } = Date;
  const monotonic = performance.now.bind(performance);
  const timers = new Map();
  let skipped = 0;
  let lastId = 0;

  performance.now = () => monotonic() + skipped;
  Date.now = () => now() + skipped;
  globalThis.setTimeout = (callback, delay = 0) => {
    // Below zero, so that no id is one of the platform's.
    lastId -= 1;
    timers.set(lastId, { callback, at: performance.now() + delay });
    return lastId;
  };
  globalThis.clearTimeout = (id) => void (timers.delete(id) || clearTimeout(id));

  t.after(() => {
    const left = [...timers.values()].map(({ callback, at }) => [callback, at - performance.now()]);
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Date.now = now;
    // The platform's own is its prototype's.
    delete performance.now;
    // Sockets of earlier tests may have set them.
    for (const [callback, delay] of left) setTimeout(callback, delay);
  });

  return {
    passMinute() {
      skipped += MINUTE;
      for (const [id, { callback, at }] of [...timers]) {
        if (at <= performance.now() && timers.delete(id)) callback();
      }
    },
  };
}
