import { type WebSocket } from "ws";
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import { type LibraryServer, listen } from "./server.ts";

/** The kind of message that carries the document; the other kinds are of no account here. */
const SYNC = 0;

/** A server of one document, by the protocol's own implementation. */
export async function yjs(): Promise<LibraryServer> {
  const doc = new Y.Doc();
  const texts = doc.getArray<string>("texts");
  const sockets = new Set<WebSocket>();
  const send = (socket: WebSocket, write: (encoder: encoding.Encoder) => void) => {
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, SYNC);
    write(encoder);
    if (encoding.length(encoder) > 1) {
      socket.send(encoding.toUint8Array(encoder));
    }
  };
  doc.on("update", (update: Uint8Array, origin: unknown) => {
    for (const socket of sockets) {
      if (socket !== origin) {
        send(socket, (encoder) => writeUpdate(encoder, update));
      }
    }
  });
  const { port, stop } = await listen((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("message", (message: Buffer) => {
      const decoder = decoding.createDecoder(new Uint8Array(message));
      if (decoding.readVarUint(decoder) === SYNC) {
        send(socket, (encoder) => readSyncMessage(decoder, encoder, doc, socket));
      }
    });
    send(socket, (encoder) => writeSyncStep1(encoder, doc));
  });
  return {
    port,
    stop,
    say: (text) => texts.push([text]),
    get heard() {
      return texts.toArray();
    },
  };
}
