/** An item of a subscription with a position: a message, or a key that was removed. */
export class Message {
  constructor(payload, epoch, offset, time, key, by, isOwn) {
    this.type = "message";
    this.value = payload;
    this.epoch = epoch;
    this.offset = offset;
    this.time = time;
    this.key = key;
    this.by = by;
    this.isOwn = isOwn;
    this.size = payload?.length;
  }

  get cursor() {
    return `${this.epoch}.${this.offset}.${this.time}`;
  }
}

/** First in, first out, for loops: each item goes to the call of `next` that has waited longest. */
export class Queue {
  #items = [];
  /** The place of the oldest item: to move the others each time would take longer the more there are. */
  #first = 0;
  #waiting = [];
  /** The error at the end, if there is one, once the end is known. */
  #end;
  #taken;
  #ended;
  /** Resolves at the end. */
  ended = new Promise((resolve) => (this.#ended = resolve));

  /** `taken` is called with each item that a loop takes. */
  constructor(taken = () => {}) {
    this.#taken = taken;
  }

  get size() {
    return this.#items.length - this.#first;
  }

  push(item) {
    if (this.#end) return;
    const waiter = this.#waiting.shift();
    if (!waiter) return void this.#items.push(item);
    this.#taken(item);
    waiter({ value: item, done: false });
  }

  /** What is in the queue is taken first; then a loop ends, the first one with the error. */
  end(error) {
    this.#end ??= [error];
    this.#ended();
    for (const resolve of this.#waiting.splice(0)) resolve(this.#next());
  }

  #next() {
    if (this.size) {
      const item = this.#items[this.#first];
      this.#items[this.#first++] = undefined;
      if (!this.size) this.clear();
      this.#taken(item);
      return Promise.resolve({ value: item, done: false });
    }
    if (!this.#end) return new Promise((resolve) => this.#waiting.push(resolve));
    const error = this.#end.pop();
    return error ? Promise.reject(error) : Promise.resolve({ value: undefined, done: true });
  }

  /** Forgets what no loop has taken. */
  clear() {
    this.#items = [];
    this.#first = 0;
  }

  /** A loop, whose end by `break` calls `stop`. */
  loop(stop) {
    const loop = {
      next: () => this.#next(),
      async return(value) {
        stop();
        return { value, done: true };
      },
      [Symbol.asyncIterator]: () => loop,
    };
    return loop;
  }
}
