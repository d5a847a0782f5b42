import { OPERANDS } from "../build/codes.js";

/** The compiled module, once there is one; or a function that returns it or its bytes, for the first socket to call. */
let compiled;
/** The load whose result counts, while one is under way. */
let loading;
/** `[ready, failed]` of each socket and each caller of `init` that waits for the module. */
const waiting = [];
/** What its instance exports, once a socket has needed one. */
let wasm;
/** What to call for each socket with a core in that instance when it has trapped. */
export const trapListeners = new Set();

/** Loads the module; at once where it is loaded already. */
export const init = (source) => new Promise((ready, failed) => whenLoaded(ready, failed, source));

/** Loads the module at once; a function only when the first socket needs it, so that a file can name its module as it is imported. */
export function initSync(source) {
  compiled ??= moduleOf(source);
  settle(0);
}

/** Calls back when the module is there, at once if it is; or tells why it cannot be had. */
export function whenLoaded(ready, failed, source) {
  if (compiled) return ready();
  waiting.push([ready, failed]);
  // A source that the application names replaces a load under way: a socket made during an import has begun it before the
  // application could say where the module is.
  if (loading && source === undefined) return;
  const load = (loading = compile(source));
  const ifCurrent = (settle) => (result) => load === loading && settle(result);
  load.then(ifCurrent(initSync)).catch(ifCurrent((error) => settle(1, error)));
}

function settle(outcome, error) {
  loading = undefined;
  for (const waiter of waiting.splice(0)) waiter[outcome](error);
}

// Sources are told apart by their members, since their classes may be those of another realm.
const moduleOf = (source) => ("byteLength" in source ? new WebAssembly.Module(source) : source);

// The build puts the file of the module in the place of WASM, so that bundlers find it.
async function compile(source = new URL(WASM, import.meta.url)) {
  let from = await source;
  // A text, a URL, a Request.
  if (from.trim ?? from.href ?? from.method) from = await fetch(from);
  if (from.ok === false) throw new Error(`${from.url} answered ${from.status}.`);
  // Compiling while it comes in would need a content type that not every server sends, and gain nothing at this size.
  from = (await from.arrayBuffer?.()) ?? from;
  return from.byteLength ? WebAssembly.compile(from) : from;
}

/**
 * Makes a core, which has to be released: the exports to call, and the number by which they know it. `onTrap` is called if it is lost
 * with its instance.
 */
export function createCore(options, onTrap) {
  compiled = moduleOf(compiled.call?.() ?? compiled);
  // A plain object, whose members V8 finds faster than those of the platform's.
  wasm ??= { ...new WebAssembly.Instance(compiled).exports };
  operandsOf(wasm).set(options);
  const core = wasm.create(Math.random());
  trapListeners.add(onTrap);
  return [wasm, core];
}

/** The operands of inputs, actions and options. Memory that has grown is another buffer. */
export const operandsOf = (wasm) =>
  wasm.view?.length ? wasm.view : (wasm.view = new Float64Array(wasm.memory.buffer, wasm["operands"].value, OPERANDS));

/**
 * The module has trapped: nothing in its memory can be trusted any more. None of its cores is touched again, and the next one is of a
 * new instance.
 */
export function trapped(error) {
  wasm = undefined;
  const all = [...trapListeners];
  trapListeners.clear();
  for (const onTrap of all) onTrap(error);
}
