/** The lines of `everwire.v1` in WebSocket messages: each is a header, or a header and a payload after a line feed. Bytes have none. */
export function linesOf(messages: readonly (string | Buffer)[]): string[] {
  return messages.filter((message) => typeof message === "string").flatMap((message) => message.split("\u001e"));
}

/** The payloads of the lines whose header begins like this. */
export function payloads(lines: readonly string[], start: string): string[] {
  const ofKind = lines.filter((line) => line.startsWith(start) && line.includes("\n"));
  return ofKind.map((line) => line.slice(line.indexOf("\n") + 1));
}
