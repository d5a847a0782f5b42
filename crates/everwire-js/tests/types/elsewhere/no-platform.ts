// The types bring no global names along.
export * from "./program.js";

// @ts-expect-error There is no document.
document;
// @ts-expect-error There is no lib that has this symbol.
Symbol.asyncDispose;
