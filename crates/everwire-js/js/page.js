import {
  INPUT_FROZEN,
  INPUT_HIDDEN,
  INPUT_OFFLINE,
  INPUT_ONLINE,
  INPUT_RESTORED,
  INPUT_RESUMED,
  INPUT_SUSPENDED,
  INPUT_VISIBLE,
} from "../build/codes.js";

/**
 * Hands the core what happens to the network and the page, until `signal` aborts.
 *
 * All of these events are needed: after a resume Chrome on Android may send no `visibilitychange` (phoenix#6804), and iOS may come
 * back from an app switch with `pageshow` alone (flarum/framework#4590).
 */
export function watchPage(handle, signal) {
  const on = (target, type, input, isMeant = () => true) =>
    target?.addEventListener?.(type, (event) => isMeant(event) && handle(input), { signal });
  const { document } = globalThis;
  const isPersisted = (event) => event.persisted;
  on(globalThis, "online", INPUT_ONLINE);
  on(globalThis, "offline", INPUT_OFFLINE);
  on(globalThis, "focus", INPUT_VISIBLE);
  on(globalThis, "pageshow", INPUT_RESTORED, isPersisted);
  on(globalThis, "pagehide", INPUT_SUSPENDED, isPersisted);
  on(document, "visibilitychange", INPUT_VISIBLE, () => !document.hidden);
  on(document, "visibilitychange", INPUT_HIDDEN, () => document.hidden);
  on(document, "freeze", INPUT_FROZEN);
  on(document, "resume", INPUT_RESUMED);
  if (document?.hidden) handle(INPUT_HIDDEN);
}
