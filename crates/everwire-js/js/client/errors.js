import { checks } from "../checks.js";

/** What is thrown for an argument that cannot be; a build for development explains it. */
export const invalid = (what, value) => new TypeError(checks?.explain[what](value) ?? `Invalid ${what}: ${value}`);

/** See `types/client.d.ts`. */
export class EverError extends Error {
  constructor(code, message, more) {
    super(message);
    this.name = "EverError";
    this.code = code;
    Object.assign(this, more);
  }
}
