/** Bytes of a message, and characters of a JSON tick. */
const SIZES = { text: { "32 B": 32, "1 KiB": 1024, "64 KiB": 65_536 }, ticks: { "200 B": 200, "4 kB": 4000 } };
SIZES.binary = SIZES.text;

const sized = (kind) => Object.entries(SIZES[kind]).map(([name, size]) => ({ name: `${kind} ${name}`, kind, size, isDispatched: false }));

/** Texts and bytes go there and back, ticks come in; the listeners are called as functions. */
const CALLED = ["text", "binary", "ticks"].flatMap(sized);
/** Ticks that are ready together: in one message where the protocol has room for several, each as one of its own elsewhere. */
const TOGETHER = { ...CALLED.find(({ name }) => name === "ticks 200 B"), name: "ticks 200 B, 8 together", together: 8 };
CALLED.push(TOGETHER);
/** The same with events that the platform dispatches, as the browser's own class does. Of a long tick decoding is all that counts. */
const DISPATCHED = CALLED.filter(({ name }) => name !== "ticks 4 kB").map((one) => ({ ...one, name: `${one.name}, dispatched`, isDispatched: true }));

/** What a client is measured for: dispatched events are for our clients and what they build on, dispatched ticks for the peers of EverClient. */
export function casesOf({ floor, isFloor, beside, ticksOnly }) {
  const dispatched = DISPATCHED.filter(({ kind }) => floor || isFloor || (beside && kind === "ticks"));
  const cases = [...CALLED, ...dispatched];
  return ticksOnly ? cases.filter(({ kind }) => kind === "ticks") : cases;
}

const names = (cases, ...kinds) => cases.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);

/** The columns of the tables that compare all clients with the browser's class. */
export const GROUPS = {
  text: names(CALLED, "text"),
  binary: names(CALLED, "binary"),
  "JSON ticks, incoming, decoded": names(CALLED, "ticks"),
};

/** The tables that compare our clients with their floor. */
export const OWN = [
  { title: "EverSocket, EverClient, its peers and the browser's class, events dispatched", floor: "raw", names: names(DISPATCHED, "text", "binary", "ticks") },
  {
    title: "Rust and a listener without a library",
    floor: "web-sys",
    names: ["text 32 B", "ticks 200 B", "binary 64 KiB"].flatMap((name) => [name, `${name}, dispatched`]),
  },
];
