// The CommonJS files are what Jest loads, whose jsdom has no TextEncoder. The other files use the platform's.

/** What the package uses of it: how many bytes a text has in UTF-8. */
class Counter {
  encode(text) {
    let length = 0;
    for (const character of text) {
      const point = character.codePointAt(0);
      length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    }
    return { length };
  }
}

export const TextEncoder = globalThis.TextEncoder ?? Counter;
