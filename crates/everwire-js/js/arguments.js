// What the browser's constructor and `close` throw for, checked before any socket exists (WHATWG WebSockets).
import { exception } from "./events.js";

const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** What fits beside the code in a close frame (RFC 6455, section 5.5). */
const MAX_REASON = 123;

/** Whether an address or subprotocols are given by a function. */
export const isProvider = (source) => typeof source === "function";

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
  if (code !== undefined) code = rounded(+code);
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

/** As WebIDL's `[Clamp]`, which rounds halves to the even neighbour; whatever it would clamp is no code either way. */
function rounded(number) {
  const floor = Math.floor(number);
  return (number - floor === 0.5 ? floor + (floor % 2) : Math.round(number)) || 0;
}

/** The class of a value, whichever realm or library it is from, where `instanceof` knows those of this realm alone. */
export const classOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

/** How many bytes a message takes. */
export function byteLength(data) {
  return typeof data === "string" ? new TextEncoder().encode(data).length : sizeOf(data);
}

/** The same, but that a text counts in UTF-16 units, since its bytes are only known by copying it. */
export function sizeOf(data) {
  if (typeof data === "string") return data.length;
  try {
    return +(data.byteLength ?? data.size);
  } catch {
    // A DataView whose buffer was transferred, of which no attribute can be read. To look at `buffer` first makes V8 allocate one.
    return 0;
  }
}

/** What the browser's `send` takes its argument for: bytes of any kind stay what they are, and all else is text. */
export function parseData(data) {
  if (typeof data === "string" || data instanceof ArrayBuffer) return data;
  const isBytes = typeof data === "object" && (ArrayBuffer.isView(data) || /Blob$|File$|Buffer$/.test(classOf(data)));
  // A template refuses a symbol, as the browser does.
  return isBytes ? data : `${data}`;
}

/** A message that nothing that happens to its buffer can change any more. Throws where the browser's `send` would. */
export function copied(data) {
  if (typeof data === "string") return data;
  const isView = ArrayBuffer.isView(data);
  const buffer = isView ? data.buffer : data;
  // WebSocket and Blob take and refuse the same (WebIDL): memory that is shared, or that can be resized.
  if (buffer.resizable || /^Shared/.test(classOf(buffer))) new Blob([data]);
  if (buffer.size) return data;
  const bytes = buffer.byteLength ? new Uint8Array(buffer, data.byteOffset, data.byteLength).slice() : new Uint8Array();
  return isView ? bytes : bytes.buffer;
}
