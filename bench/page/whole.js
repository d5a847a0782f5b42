const clients = {};

/** Opens a client for an `echo` or for `ticks`. */
globalThis.connect = async (path, url, what) => {
  const { open } = await import(path);
  clients[what] = await open(url, what === "ticks");
};

/** Sends messages and waits until all have come back. Gives ms; with `timed` the time of each. */
globalThis.exchange = async (isText, size, count, inFlight, timed) => {
  clients.echo.prepare(isText, size);
  const start = performance.now();
  const times = await new Promise((done) => clients.echo.start(count, inFlight, timed, done));
  return timed ? [...times] : performance.now() - start;
};

/** Asks for ticks and waits for all of them. */
globalThis.receive = async (count) => {
  clients.ticks.prepare(true, 2);
  const start = performance.now();
  await new Promise((done) => {
    clients.ticks.expect(count, done);
    clients.ticks.send();
  });
  return performance.now() - start;
};

/** From nothing to a message that has come back, in ms. */
globalThis.firstMessage = async (path, url) => {
  const start = performance.now();
  await globalThis.connect(path, url, "echo");
  await globalThis.exchange(true, 32, 1, 1, false);
  return performance.now() - start;
};

globalThis.burn = (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};
