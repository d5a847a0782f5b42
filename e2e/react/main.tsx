import { init, type SendOutcome } from "everwire";
import { useEverSocket } from "everwire/react";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

/** What the tests ask the component to be. */
export interface Wish {
  readonly url: string | null;
  readonly keep?: number;
  /** Whether each drawing makes the address and the list of subprotocols anew. */
  readonly isAnew?: boolean;
  /** Whether the address is a function that each drawing makes anew, and whose address has the label as its token. */
  readonly isAsked?: boolean;
  readonly json?: boolean;
  /** Whether another attempt follows a drop; the component leaves it to the socket otherwise. */
  readonly retries?: boolean;
  /** Goes along with each message that the component hears of. */
  readonly label?: string;
}

const tests = {
  /** What `onMessage` was called with, and the label of the function that was called. */
  heard: [] as { label: string; data: unknown }[],
  events: [] as string[],
  /** How often React ran the effects of the component. */
  mounted: 0,
  socket: null as ReturnType<typeof useEverSocket>["socket"],
  /** The function `send` of each drawing. */
  sends: [] as ((data: any) => SendOutcome)[],
  /** What a component said that sent when it was mounted. */
  atMount: [] as string[],
  show,
};
export type Tests = typeof tests;

// A socket that is closed again before the module is there has never dialled, and one too many would not show.
await init();
Object.assign(globalThis, { tests });

function Feed({ url, keep, isAnew = false, isAsked = false, json = false, retries, label = "" }: Wish) {
  const address = isAnew && url !== null ? new URL(url, location.href.replace("http", "ws")) : url;
  const { socket, readyState, reconnecting, messages, send } = useEverSocket(isAsked ? async () => `${url}?token=${label}` : address, {
    ...(isAnew && { protocols: ["one", "two"] }),
    ...(keep !== undefined && { keep }),
    ...(retries !== undefined && { shouldReconnect: () => retries }),
    json,
    onMessage: (_, data) => tests.heard.push({ label, data }),
    onEvent: ({ type }) => tests.events.push(type),
    backoff: { floor: 20, first: 100, max: 200 },
  });
  tests.socket = socket;
  tests.sends.push(send);
  useEffect(() => {
    tests.mounted += 1;
    if (json) tests.atMount.push((send as (value: unknown) => SendOutcome)({ at: "mount" }));
  }, []);
  return (
    <>
      <p role="status">{readyState === null ? "no socket" : ["connecting", "open", "closing", "closed"][readyState]}</p>
      <p role="alert">{reconnecting && `attempt ${reconnecting.attempt}`}</p>
      <ol>
        {messages.map((message, index) => (
          <li key={index}>{json ? JSON.stringify(message) : message}</li>
        ))}
      </ol>
    </>
  );
}

const root = createRoot(document.getElementById("root")!);

/** Draws the component, or nothing. */
function show(wish: Wish | null): void {
  root.render(<StrictMode>{wish && <Feed {...wish} />}</StrictMode>);
}
