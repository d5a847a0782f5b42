import { echo } from "./echo.js";

// The test calls these. A window and each kind of worker do the same thing.
Object.assign(globalThis, { inWindow: echo, inDedicatedWorker, inSharedWorker });

function inDedicatedWorker(url) {
  const worker = new Worker(new URL("./dedicated-worker.js", import.meta.url), { type: "module" });
  return ask(worker, worker, url);
}

function inSharedWorker(url) {
  const worker = new SharedWorker(new URL("./shared-worker.js", import.meta.url), { type: "module" });
  return ask(worker, worker.port, url);
}

function ask(worker, port, url) {
  return new Promise((resolve, reject) => {
    worker.onerror = ({ message }) => reject(new Error(`The worker has failed: ${message}`));
    port.onmessage = ({ data }) => resolve(data);
    port.postMessage(url);
  });
}
