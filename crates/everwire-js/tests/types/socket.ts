import Default, { EverSocket, type Attempt, type SendOutcome } from "everwire";
import { check, type Equal } from "./check.js";

// A drop-in: wherever the browser's is taken.
const plain: WebSocket = new EverSocket("wss://example.com");
const library: { new (url: string, protocols?: string | string[]): WebSocket; readonly OPEN: number } = EverSocket;
check<Equal<typeof Default, typeof EverSocket>>();

// Addresses and subprotocols, as values and as functions.
new EverSocket(new URL("https://example.com"), ["a", "b"]);
new EverSocket(
  async (attempt) => {
    check<Equal<typeof attempt, Attempt>>();
    return new URL(`https://example.com/${attempt.failures}`);
  },
  () => "a",
);
// @ts-expect-error A socket has an address.
new EverSocket();
// @ts-expect-error An address is no number.
new EverSocket(9001);
// @ts-expect-error A function gives an address.
new EverSocket(() => 9001);
// @ts-expect-error Subprotocols are texts.
new EverSocket("/", [1]);

const socket = new EverSocket("/");
check<Equal<typeof socket.readyState, 0 | 1 | 2 | 3>>();
check<Equal<typeof EverSocket.CLOSED, 3>>();
check<Equal<typeof socket.serverTime, number | undefined>>();
check<Equal<typeof socket.stats.latency.p99, number | undefined>>();
socket.binaryType = "arraybuffer";
// @ts-expect-error There are two types.
socket.binaryType = "string";
// @ts-expect-error Only the socket changes its state.
socket.readyState = 1;

// Sending.
const outcome = socket.send("text");
check<Equal<typeof outcome, SendOutcome>>();
check<Equal<SendOutcome, "sent" | "queued" | "refused">>();
socket.send(new Uint8Array(1));
socket.send(new ArrayBuffer(1), { timeToLive: 1_000 });
socket.send(new Blob(), { key: "position" });
// @ts-expect-error An object is sent by `json()`.
socket.send({});
// @ts-expect-error Misspelt.
socket.send("text", { ttl: 1_000 });

// Ending.
socket.close();
socket.close(3000, "reason");
check<Equal<ReturnType<typeof socket.ready>, Promise<void>>>();
socket.reconnect();
async function scoped() {
  await using ended = new EverSocket("/");
  return ended.url;
}

export { library, plain, scoped };
