/** Stands for every function that gives an address or subprotocols: a component makes another one for each drawing. */
const PROVIDED = Symbol("provided");

/** What a component writes down for each drawing is the same if it says the same, and a function is the same as any other. */
export function identity(source) {
  if (typeof source === "function") return PROVIDED;
  return typeof source === "object" && source !== null ? `${source[Symbol.iterator] ? [...source] : source}` : source;
}

/** An option that is a function: the latest one of the component is called, which `latest` returns. */
export function latestOf(given, latest) {
  if (typeof given !== "function") return given;
  // What is about to be closed may still connect, when the component has passed something else than a function.
  return (...args) => {
    const now = latest();
    return (typeof now === "function" ? now : given)(...args);
  };
}

/**
 * Holds a connection for a component, in `held.current`, and makes it if there is none for these identities. Strict Mode unmounts a
 * component and mounts it again at once, and that is no reason for a second connection: it is closed only when it is not held again by the
 * next task. Returns whether another connection is held than before.
 */
export function hold(held, identities, make) {
  const before = held.current;
  if (before?.identities.every((identity, place) => identity === identities[place])) {
    clearTimeout(before.closing);
    return false;
  }
  held.current = { identities, connection: make() };
  return true;
}

export function release(held) {
  const { current } = held;
  current.closing = setTimeout(() => {
    if (held.current === current) held.current = undefined;
    current.connection.close();
  });
}
