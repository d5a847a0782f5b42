// What the browser's constructor and `close` throw for, checked before any socket exists (WHATWG WebSockets).
import { exception } from "./events.js";

const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** What fits beside the code in a close frame (RFC 6455, section 5.5). */
const MAX_REASON = 123;

/** The address as the browser's `url` tells it. */
export function parseAddress(address) {
  let url = "";
  try {
    ({ href: url } = new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href));
  } catch {
    // It is told below.
  }
  // An address with http or https is one with ws or wss; a server never sees a fragment.
  url = url.replace(/^http/, "ws");
  if (!/^wss?:[^#]*$/.test(url)) throw exception(`"${address}" is no address: write wss://host/path, without #.`, "SyntaxError");
  return url;
}

/** Subprotocols as texts in an array. */
export function textsOf(protocols) {
  if (protocols === undefined) return [];
  // A template refuses a symbol, as the browser does.
  const text = (protocol) => `${protocol}`;
  return typeof protocols === "object" && protocols?.[Symbol.iterator] ? Array.from(protocols, text) : [text(protocols)];
}

/** Subprotocols as an array. */
export function parseProtocols(protocols) {
  const offered = textsOf(protocols);
  for (const [index, protocol] of offered.entries()) {
    if (!TOKEN.test(protocol) || offered.indexOf(protocol) !== index) {
      throw exception(`"${protocol}" is no subprotocol, or offered twice: name HTTP tokens, each once.`, "SyntaxError");
    }
  }
  return offered;
}

/** The arguments of `close` as the browser takes them. */
export function parseClose(code, reason) {
  // Both are converted before either is checked (WebIDL); the plus refuses a big integer.
  if (code !== undefined) code = clamp(+code);
  if (reason !== undefined) reason = `${reason}`;
  if (code !== undefined) {
    if (code !== 1000 && (code < 3000 || code > 4999)) {
      throw exception(`The code ${code} is reserved: use 1000 or 3000 to 4999.`, "InvalidAccessError");
    }
  }
  if (reason !== undefined) {
    const bytes = byteLength(reason);
    if (bytes > MAX_REASON) {
      throw exception(`The reason has ${bytes} bytes: use at most ${MAX_REASON}.`, "SyntaxError");
    }
  }
  return code === undefined && reason === undefined ? [] : [code ?? 1000, reason ?? ""];
}

/** WebIDL's `[Clamp] unsigned short`, which rounds halves to the even neighbour. */
function clamp(number) {
  const floor = Math.floor(number);
  const rounded = number - floor === 0.5 ? floor + (floor % 2) : Math.round(number);
  return Math.min(Math.max(rounded || 0, 0), 65_535);
}

/** How many bytes a message takes. */
export function byteLength(data) {
  return typeof data === "string" ? new TextEncoder().encode(data).length : (data.byteLength ?? data.size);
}
