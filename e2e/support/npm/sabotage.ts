import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import binaryen from "binaryen";

const codes = resolve(import.meta.dirname, "../../../crates/everwire-js/build/codes.js");

/** The wasm module, but that it traps when a socket is asked to reconnect: `handle(core, now, input)` with that input. */
export async function sabotaged(path: string): Promise<Uint8Array> {
  const { INPUT_RECONNECT } = (await import(codes)) as { INPUT_RECONNECT: number };
  const module = binaryen.readBinary(await readFile(path));
  module.setFeatures(binaryen.Features.All);
  const { value } = binaryen.getExportInfo(module.getExport("handle"));
  const { name, params, results, vars, body } = binaryen.getFunctionInfo(module.getFunction(value));
  const isReconnect = module.i32.eq(module.local.get(2, binaryen.i32), module.i32.const(INPUT_RECONNECT));
  const trap = module.if(isReconnect, module.unreachable());
  const sabotaged = module.block(null, [trap, module.copyExpression(body)], results);
  module.removeFunction(name);
  module.addFunction(name, params, results, vars, sabotaged);
  return module.emitBinary();
}
