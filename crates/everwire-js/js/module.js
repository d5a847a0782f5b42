/** The compiled module, once there is one. */
let compiled;
/** Its loading, while it is under way. */
let loading;
/** What its instance exports, once a socket has needed one. */
let wasm;
/** The drivers whose cores live in that instance. */
const drivers = new Set();

/** Loads the module; at once where it is loaded already. */
export async function init(source) {
  if (compiled) return;
  loading ??= compile(source);
  try {
    compiled ??= await loading;
  } finally {
    loading = undefined;
  }
}

/** Loads the module at once. */
export function initSync(source) {
  compiled ??= source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
}

async function compile(source = new URL("everwire.wasm", import.meta.url)) {
  let from = await source;
  if (typeof from === "string" || from instanceof URL || (globalThis.Request && from instanceof Request)) from = await fetch(from);
  if (!(globalThis.Response && from instanceof Response)) {
    return from instanceof WebAssembly.Module ? from : WebAssembly.compile(from);
  }
  if (!from.ok) throw new Error(`${from.url} answered with the status ${from.status}.`);
  // Streaming needs the type that not every server sends.
  const isTyped = from.headers.get("content-type")?.startsWith("application/wasm");
  return isTyped ? WebAssembly.compileStreaming(from) : WebAssembly.compile(await from.arrayBuffer());
}

/** Calls back when the module is there, at once if it is; or tells why it cannot be had. */
export function whenLoaded(ready, failed) {
  if (compiled) ready();
  else init().then(ready, failed);
}

/** A core for a driver, which has to give it back: the exports to call, and the number by which they know it. */
export function takeCore(driver, knobs) {
  wasm ??= new WebAssembly.Instance(compiled).exports;
  for (const [knob, value] of knobs) wasm.turn(knob, value);
  const core = wasm.create(Math.random());
  drivers.add(driver);
  return { wasm, core };
}

export function giveBack(driver, core) {
  if (drivers.delete(driver)) wasm.release(core);
}

/**
 * The module has trapped: nothing in its memory can be trusted any more. All drivers are told, none of their cores is touched
 * again, and the next one gets a new instance.
 */
export function trapped(error) {
  wasm = undefined;
  const stranded = [...drivers];
  drivers.clear();
  for (const driver of stranded) driver.strand(error);
}
