/** See `types/client.d.ts`. */
export class EverError extends Error {
  constructor(code, message, more) {
    super(message);
    this.name = "EverError";
    this.code = code;
    Object.assign(this, more);
  }
}
