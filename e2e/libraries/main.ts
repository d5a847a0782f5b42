import { EverSocket } from "everwire";
import { centrifuge } from "./centrifuge.ts";
import { graphql } from "./graphql.ts";
import { mqtt } from "./mqtt.ts";
import { phoenix } from "./phoenix.ts";
import { type Session, type Socket } from "./session.ts";
import { yjs } from "./yjs.ts";

const libraries = { graphql, mqtt, yjs, phoenix, centrifuge };
/** Times are short, so that a test need not wait for long. */
const soon = { backoff: { floor: 20, first: 100, max: 500, quickAfterSilence: 100 }, closeTimeout: 500 };
/** A link is asked after half a second of silence. It has longer to answer: also a busy machine does so within two seconds. */
const asked = { afterSilence: 500, minDeadline: 2_000, maxDeadline: 2_000 };
const heartbeats = {
  graphql: { ...asked, ping: () => '{"type":"ping"}', pong: (data: unknown) => data === '{"type":"pong"}' },
  mqtt: { ...asked, ping: () => Uint8Array.of(0xc0, 0), pong: (data: ArrayBuffer) => new Uint8Array(data)[0] === 0xd0 },
  phoenix: {
    ...asked,
    ping: () => '[null,"everwire","phoenix","heartbeat",{}]',
    pong: (data: unknown) => String(data).startsWith('[null,"everwire"'),
  },
};

const classes = {
  /** The browser's own. */
  browser: () => WebSocket,
  /** The browser's own behind another name. */
  strict: () => EverSocket.with({ reconnect: false }),
  /** One connection: what is lost is told as a close. */
  single: (library: Library) => {
    const heartbeat = (heartbeats as Partial<Record<Library, object>>)[library];
    return EverSocket.with({ ...soon, shouldReconnect: () => false, ...(heartbeat && { heartbeat }) });
  },
  /** What is lost is made again, and the library is told of another `open` alone. */
  healing: () => EverSocket.with(soon),
};

export type Library = keyof typeof libraries;
export type Kind = keyof typeof classes;

const tests = {
  sessions: {} as Record<string, Session>,
  start(name: string, library: Library, kind: Kind, url: string) {
    tests.sessions[name] = libraries[library](url, classes[kind](library) as Socket);
  },
};
export type Tests = typeof tests;
Object.assign(globalThis, { tests });
