import * as everwire from "everwire";
import * as inline from "everwire/inline";
import { check, type Equal } from "./check.js";

check<Equal<ReturnType<typeof everwire.init>, Promise<void>>>();
everwire.init();
everwire.init("/everwire.wasm");
everwire.init(new URL("https://example.com/everwire.wasm"));
everwire.init(fetch("/everwire.wasm"));
everwire.init(WebAssembly.compileStreaming(fetch("/everwire.wasm")));
everwire.init(new Uint8Array());
// @ts-expect-error Nothing is no source. (Most else is one to TypeScript, to which `WebAssembly.Module` is any object.)
everwire.init(null);

check<Equal<ReturnType<typeof everwire.initSync>, void>>();
everwire.initSync(new ArrayBuffer(0));
everwire.initSync(new WebAssembly.Module(new Uint8Array()));
everwire.initSync(() => new Uint8Array());
// @ts-expect-error Nothing is loaded from nowhere.
everwire.initSync();

// The same, wherever it comes from.
check<Equal<typeof inline.EverSocket, typeof everwire.EverSocket>>();
check<Equal<typeof inline.default, typeof everwire.default>>();
check<Equal<typeof inline.init, typeof everwire.init>>();
check<Equal<keyof typeof inline, keyof typeof everwire>>();
