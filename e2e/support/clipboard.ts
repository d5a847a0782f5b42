/** Makes a page, before it begins, one whose address has no TLS: browsers keep the clipboard from it. */
export function withoutClipboard(): void {
  Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined });
}
