/** The page of the part `echo`: a client that is connected to real servers. */
const clients = {};

/** Opens a client for the server of `echo` or of `ticks`. */
globalThis.connect = async (path, url, what) => {
  const { open } = await import(path);
  clients[what] = await open(url, what === "ticks");
};

/** Sends messages and waits until all have come back. Returns the time in ms; with `timed` the round trip of each. */
globalThis.exchange = async (isText, size, count, inFlight, timed) => {
  clients.echo.prepare(isText, size);
  const start = performance.now();
  const times = await new Promise((done) => clients.echo.start(count, inFlight, timed, done));
  return timed ? [...times] : performance.now() - start;
};

/** Requests ticks and waits for all of them. Returns the time in ms. */
globalThis.receive = async (count) => {
  clients.ticks.prepare(true, 2);
  const start = performance.now();
  await new Promise((done) => {
    clients.ticks.expect(count, done);
    clients.ticks.send();
  });
  return performance.now() - start;
};

/** The time from importing the client to the first answer, in ms. */
globalThis.firstMessage = async (path, url) => {
  const start = performance.now();
  await globalThis.connect(path, url, "echo");
  await globalThis.exchange(true, 32, 1, 1, false);
  return performance.now() - start;
};

/** Keeps the main thread busy. */
globalThis.burn = (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};
