import * as code from "../../build/codes.js";
import { dispatch, event, report } from "../events.js";
import { Queue } from "./queue.js";

/**
 * What one subscription of the application reads. Until the server has answered its `start`, it waits; then it is served where the
 * subscription of the session is, unless that is repeated for another one: then it stays `at` a position of its own, and takes nothing
 * before it.
 */
export class Reader {
  at;
  entry;
  /** The latest item with a position that the application has taken. */
  #taken;
  /** What follows is new, which was reported. */
  isLive = false;
  isFull = false;
  /** Events are listened to, perhaps to messages; items wait only where a loop reads them as well. */
  listens = false;
  listensToMessages = false;
  /** Called with messages, for which no event is made then. */
  handler;
  isRead = false;
  /** How many items wait, and the length of their payloads. */
  #count = 0;
  #size = 0;
  /** Counts the snapshots, and what came while the latest one is loaded. */
  #snapshot = 0;
  #held;
  #isOver = false;
  #target;
  #changed;
  #fail;

  /** `changed` is called when so much waits that the server has to wait, and when that is over, `fail` where a snapshot cannot be loaded. */
  constructor(options, target, changed, fail) {
    const { state, last, from } = options;
    this.start = from ? `from:${from}` : last >= 0 ? `last:${last}` : state ? "state" : "live";
    this.options = options;
    this.#target = target;
    this.#changed = changed;
    this.#fail = fail;
    this.queue = new Queue((item) => {
      this.#commit(item);
      this.#add(item, -1);
    });
  }

  push(item) {
    if (this.#held) {
      this.#held.push(item);
    } else {
      if (this.listens) {
        this.#commit(item);
        const isHandled = this.handler && item.type === "message";
        if (isHandled) handle(this.handler, item);
        if (!isHandled || this.listensToMessages) this.#tell(item);
        if (!this.isRead) return;
      }
      this.queue.push(item);
    }
    this.#add(item, 1);
  }

  #tell(item) {
    const { type, ...fields } = item;
    dispatch(this.#target, event(type, { ...fields, cursor: item.cursor }));
  }

  /**
   * Messages are missing. What was held back before is in the next snapshot. A state is loaded again, since what is missing may have changed
   * any key; but not for what the server's rules do not allow, which it would not have either.
   */
  skip(gap) {
    for (const item of this.#held ?? []) this.#add(item, -1);
    this.#held = undefined;
    this.push(gap);
    if (!this.options.state || gap.reason === "refused") return this.settle(gap.cursor);
    this.#snapshot += 1;
    this.start = "state";
  }

  /** The position is known: loads the snapshot, if there is one, and holds back what follows. */
  settle(cursor) {
    this.#taken ??= { cursor };
    const { snapshot } = this.options;
    if (!snapshot) return;
    const number = (this.#snapshot += 1);
    this.#held = [];
    const unlessLate = (then) => (result) => number === this.#snapshot && then(result);
    const load = async () => snapshot(cursor);
    load().then(
      unlessLate((value) => {
        const held = this.#held;
        this.#held = undefined;
        for (const item of [{ type: "snapshot", value, cursor }, ...held]) this.push(item);
        for (const item of held) this.#add(item, -1);
      }),
      unlessLate(this.#fail),
    );
  }

  /** Nothing follows. */
  end(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#snapshot = -1;
    this.#held = undefined;
    this.queue.end(error);
    dispatch(this.#target, event("end", { error }));
  }

  /** The position after what the application has taken: as a text, which takes longer to make than all else of an item, when it is asked for. */
  get cursor() {
    return this.#taken?.cursor;
  }

  #commit(item) {
    if (item.type !== "resumed" && item.type !== "caught-up") this.#taken = item;
  }

  #add({ size = 0 }, count) {
    this.#count += count;
    this.#size += count * size;
    const { maxWaiting = 1024, maxWaitingSize = 4 << 20 } = this.options;
    const isFull = this.isFull
      ? this.#count > maxWaiting / 2 || this.#size > maxWaitingSize / 2
      : this.#count >= maxWaiting || this.#size >= maxWaitingSize;
    if (isFull === this.isFull) return;
    this.isFull = isFull;
    this.#changed();
  }
}

/** Who is present in a channel: the members, each time that they change. */
class Members {
  /** All of them, in the order of their sessions; nothing before the server has sent them. */
  list;
  watchers = new Set();
  #known = new Map();
  /** How many are missing of a list that is being received. */
  #missing = 0;

  /** Takes in a line of the server. */
  change({ type, session, members }, payload) {
    let info = payload;
    try {
      info = JSON.parse(payload);
    } catch {
      // What a server knows of a session may be any text, or bytes.
    }
    if (type === "presence") {
      this.#known = new Map();
      this.#missing = members;
    } else if (type === "leave") {
      this.#known.delete(session);
    } else {
      this.#known.set(session, { session, info });
      if (this.#missing) this.#missing -= 1;
    }
    const list = [...this.#known.values()].sort((one, other) => (one.session > other.session ? 1 : -1));
    // After a reconnect, the whole list comes again.
    if (this.#missing || JSON.stringify(list) === JSON.stringify(this.list)) return;
    this.list = list;
    for (const watcher of this.watchers) watcher.push(list);
  }
}

function handle(handler, item) {
  try {
    handler(item);
  } catch (error) {
    report(error);
  }
}

/** Whether a position is behind another one of the same history. */
function isAfter(position, other) {
  const [epoch, offset] = position.split(".");
  const [otherEpoch, otherOffset] = other.split(".");
  return epoch === otherEpoch && BigInt(offset) > BigInt(otherOffset);
}

/** A channel that the session is subscribed to, once for all its readers. */
export class Entry {
  readers = [];
  /** Who is present, where somebody watches. */
  members;
  /** The start whose answer is outstanding. */
  #asked;
  /** The latest message of each key is being received. */
  #isState = false;
  /** The server has nothing more at the moment: what it sends is new. */
  #isLive = false;
  #isPaused = false;
  #core;
  /** How the header of a message begins, up to its offset, and the epoch there: as a text, and its upper and lower half. */
  prefix;
  epoch;
  upper;
  lower;

  /** `core` hands inputs and calls to wasm. */
  constructor(name, core) {
    this.name = name;
    this.#core = core;
  }

  /** Where the subscription is, as the text of a cursor; nothing before that is known. */
  get position() {
    return this.#core.position(this.id);
  }

  get isLatest() {
    return this.readers.length > 0 && this.readers.every(({ options }) => options.conflate);
  }

  add(reader) {
    const isServed = reader.start === "live" && this.#isLive && (reader.options.conflate || !this.isLatest);
    this.readers.push(reader);
    reader.entry = this;
    if (!isServed) return this.#serve();
    reader.start = undefined;
    reader.isLive = true;
    reader.settle(this.position);
  }

  remove(reader) {
    const others = this.readers.filter((other) => other !== reader);
    if (others.length === this.readers.length) return;
    this.readers = others;
    this.#release();
  }

  watch(watcher) {
    this.members ??= new Members();
    this.members.watchers.add(watcher);
    if (this.members.list) watcher.push(this.members.list);
    else if (this.members.watchers.size < 2) this.#repeat();
  }

  unwatch(watcher) {
    if (!this.members?.watchers.delete(watcher) || this.members.watchers.size) return;
    this.members = undefined;
    if (this.readers.length) this.#repeat();
    this.#release();
  }

  #release() {
    if (!this.readers.length && !this.members) this.#core.handle(code.INPUT_UNSUBSCRIBE, this.id);
    else if (this.readers.length) this.pause();
    else this.#repeat();
  }

  /** Subscribes again where it is: as a member or not, or for nothing but the members. */
  #repeat() {
    const { position } = this;
    this.#ask(!this.readers.length ? "hold" : (this.#asked ?? (position ? `from:${position}` : undefined)));
    this.#serve();
  }

  /** Has the server wait while a reader has no room for more. */
  pause() {
    const isPaused = this.readers.some(({ isFull }) => isFull);
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#core.handle(isPaused ? code.INPUT_PAUSE : code.INPUT_UNPAUSE, this.id);
  }

  /** The connection is another one. */
  reconnected() {
    this.#isLive = false;
    for (const reader of this.readers) reader.isLive = false;
    // By itself, the session does not repeat what is on hold at a position.
    if (!this.readers.length && this.position) this.#ask("hold");
  }

  /** The server has answered, or the position has moved. */
  moved() {
    if (this.#asked) this.#answered(this.#asked);
  }

  /** Whether a message of the subscription is for a reader. */
  serves(reader, message) {
    if (reader.start || (reader.at && (this.#isState || !isAfter(message.cursor, reader.at)))) return false;
    reader.at = undefined;
    return true;
  }

  skip(gap) {
    this.#isState = false;
    for (const reader of this.readers) {
      const { start, at } = reader;
      // It has what is missing here.
      if (start || (at && (at === gap.cursor || isAfter(at, gap.cursor)))) continue;
      reader.at = undefined;
      reader.skip(gap);
    }
    this.#serve();
  }

  resumed() {
    for (const reader of this.readers) if (!reader.start && !reader.at) reader.push({ type: "resumed" });
  }

  caughtUp() {
    this.#isState = false;
    this.#isLive = true;
    this.#serve();
    for (const reader of this.readers) {
      if (reader.start || reader.at || reader.isLive) continue;
      reader.isLive = true;
      reader.push({ type: "caught-up" });
    }
  }

  end(error) {
    for (const reader of [...this.readers, ...(this.members?.watchers ?? [])]) reader.end(error);
  }

  /** Has the subscription serve what its readers need, where that is not what it serves. */
  #serve() {
    if (this.#asked) return;
    const { readers } = this;
    const waiting = readers.find(({ start }) => start);
    if (waiting) return this.#ask(waiting.start);
    // What its keys had before is of no use to those that take each message.
    if (this.#isState) return;
    const { position } = this;
    for (const reader of readers) if (reader.at === position) reader.at = undefined;
    const behind = readers.filter(({ at }) => at && !isAfter(at, position)).sort((one, other) => (isAfter(one.at, other.at) ? 1 : -1));
    if (behind.length) this.#ask(`from:${behind[0].at}`);
  }

  /** Starts the subscription of the session, which leaves those that it has served where they are. */
  #ask(start) {
    if (!start) return;
    const { position } = this;
    for (const reader of this.readers) if (!reader.start) reader.at ??= position;
    this.#asked = start;
    this.#isState = start === "state";
    this.#isLive = false;
    this.#core.subscribe(this, start);
    // A position needs no answer.
    if (start.startsWith("from")) this.#answered(start);
  }

  #answered(start) {
    const { position } = this;
    if (!position) return;
    this.#asked = undefined;
    this.#isLive = start === "live";
    for (const reader of this.readers) {
      if (reader.start !== start) continue;
      reader.start = undefined;
      reader.isLive = this.#isLive;
      reader.settle(position);
    }
    this.#serve();
  }
}
