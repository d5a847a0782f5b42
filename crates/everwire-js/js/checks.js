/**
 * The checks of `development.js`: undefined in the browsers' production build, where every byte counts. Types find most of what they
 * find, and nothing that a standard requires depends on them.
 */
export let checks;

/** Called by the entries that bring the checks along. */
export function setChecks(given) {
  checks = given;
}
