import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { type Session, type Socket } from "./session.ts";

export function yjs(url: string, WebSocketPolyfill: Socket): Session {
  const doc = new Y.Doc();
  new WebsocketProvider(url, "room", doc, { WebSocketPolyfill, disableBc: true });
  const texts = doc.getArray<string>("texts");
  return {
    get received() {
      return texts.toArray();
    },
    say: (text) => texts.push([text]),
  };
}
