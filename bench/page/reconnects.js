/** The page of the part `reconnects`. */
import { dialects, FakeWebSocket } from "./fake-network.js";

/** The memories of all wasm modules of the page. */
const memories = [];
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    remember(this);
  }
};
const { instantiate, instantiateStreaming } = WebAssembly;
WebAssembly.instantiate = async (...args) => remembered(await instantiate.apply(WebAssembly, args));
WebAssembly.instantiateStreaming = async (...args) => remembered(await instantiateStreaming.apply(WebAssembly, args));

function remembered(result) {
  remember(result.instance ?? result);
  return result;
}

function remember({ exports }) {
  memories.push(...Object.values(exports).filter((one) => one instanceof WebAssembly.Memory));
}

let socket;
let reconnected = 0;

/** Opens an EverSocket on a fake network, with a backoff of 1 ms. */
globalThis.start = async (path) => {
  globalThis.WebSocket = FakeWebSocket;
  FakeWebSocket.dialect = dialects.plain;
  const { EverSocket } = await import(path);
  const backoff = { floor: 0, first: 1, max: 1, quick: 1, quickAfterSilence: 1 };
  socket = new EverSocket("ws://fake.invalid/", [], { backoff });
  socket.addEventListener("reconnected", () => (reconnected += 1));
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
};

/** Reconnects many times, with a message each time: by turns after a lost connection and by `reconnect()`. */
globalThis.reconnect = async (times) => {
  for (let i = 0; i < times; i++) {
    const open = new Promise((resolve) => socket.addEventListener("reconnected", resolve, { once: true }));
    if (i % 2) socket.reconnect();
    else FakeWebSocket.latest.cut();
    await open;
    socket.send("x".repeat(32));
    FakeWebSocket.latest.deliver(new MessageEvent("message", { data: "x".repeat(32) }));
  }
  return { reconnected, wasm: memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0) };
};
