/** The compiled module, once there is one. */
let compiled;
/** Its loading, while it is under way. */
let loading;
/** What its instance exports, once a socket has needed one. */
let wasm;
/** How to tell those whose cores live in that instance that it is gone. */
const stranding = new Set();

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
  if (from instanceof WebAssembly.Module) return from;
  if (typeof from === "string" || from instanceof URL || from instanceof Request) from = await fetch(from);
  if (!(from instanceof Response)) return WebAssembly.compile(from);
  if (!from.ok) throw new Error(`${from.url} answered with the status ${from.status}.`);
  // Compiling while it comes in would need a content type that not every server sends, and gain nothing at this size.
  return WebAssembly.compile(await from.arrayBuffer());
}

/** Calls back when the module is there, at once if it is; or tells why it cannot be had. */
export function whenLoaded(ready, failed) {
  if (compiled) ready();
  else init().then(ready, failed);
}

/** A core, which has to be given back: the exports to call, and the number by which they know it. `strand` is told if it is lost. */
export function takeCore(strand, knobs) {
  wasm ??= new WebAssembly.Instance(compiled).exports;
  for (const [knob, value] of knobs) wasm.turn(knob, value);
  const core = wasm.create(Math.random());
  stranding.add(strand);
  return [wasm, core];
}

export function giveBack(strand, core) {
  if (stranding.delete(strand)) wasm.release(core);
}

/**
 * The module has trapped: nothing in its memory can be trusted any more. All are told, none of their cores is touched again, and
 * the next one is of a new instance.
 */
export function trapped(error) {
  wasm = undefined;
  const all = [...stranding];
  stranding.clear();
  for (const strand of all) strand(error);
}
