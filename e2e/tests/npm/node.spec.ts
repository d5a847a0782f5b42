import { once } from "node:events";
import { createServer } from "node:https";
import { type AddressInfo } from "node:net";
import { resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocket } from "ws";
import { built } from "../../support/npm/peer.ts";
import { expect, test } from "../../support/npm/test.ts";

/** The entry for Node.js. */
const { EverSocket } = await import(resolve(built, "inline.js"));

test.describe("with the class of the package ws, reconnecting tells why a handshake failed:", () => {
  async function reason(url: string, protocols: string[] = []): Promise<string> {
    const socket = new EverSocket(url, protocols, { WebSocket });
    try {
      return await new Promise<string>((resolve) => (socket.onreconnecting = ({ reason }: { reason: string }) => resolve(reason)));
    } finally {
      socket.close();
    }
  }

  test("the status", async ({ peer }) => {
    expect(await reason(`${peer.address}/refuse?status=401`)).toBe("Unexpected server response: 401");
  });

  test("a subprotocol that the server did not choose", async ({ peer }) => {
    expect(await reason(`${peer.address}/echo?pick=`, ["chat"])).toBe("Server sent no subprotocol");
  });

  test("a host that refuses connections", async () => {
    expect(await reason("ws://127.0.0.1:9")).toMatch(/ECONNREFUSED/);
  });

  test("TLS", async () => {
    // Without a certificate there is no cipher that both know.
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    expect(await reason(`wss://127.0.0.1:${(server.address() as AddressInfo).port}`)).toMatch(/SSL|TLS|EPROTO/);
    server.close();
  });
});

test("with the class of the package ws, the last error says why, too", async ({ peer }) => {
  const socket = new EverSocket(`${peer.address}/refuse?status=401`, [], { WebSocket, backoff: { maxRetries: 0 } });
  const { message } = await new Promise<{ message: string }>((resolve) => (socket.onerror = resolve));
  expect(message).toBe("Unexpected server response: 401");
});

test("a key of its own for each message is forgotten with the message", async ({ peer }) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = () => {
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const socket = new EverSocket(`${peer.address}/echo`, [], { WebSocket });
  await socket.ready();
  const outcomes = new Set<string>();
  const send = async (count: number) => {
    for (let number = 0; number < count; number += 1) {
      outcomes.add(socket.send("x", { key: `${number} of ${count}` }));
      // Few at a time, so that none of them has to wait.
      if (number % 100 === 99) await new Promise((resolve) => (socket.onmessage = resolve));
    }
  };
  await send(5_000);
  const before = heap();
  await send(40_000);
  // Each key took 200 bytes and more.
  expect(heap() - before).toBeLessThan(2_000_000);
  expect([...outcomes]).toEqual(["sent"]);
  socket.close();
});
