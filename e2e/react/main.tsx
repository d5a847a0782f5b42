import { init } from "everwire";
import { useEverSocket } from "everwire/react";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

/** What the tests ask the component to be. */
export interface Wish {
  readonly url: string | null;
  readonly keep?: number;
  /** Whether each drawing makes the address and the list of subprotocols anew. */
  readonly isAnew?: boolean;
  /** Goes along with each message that the component hears of. */
  readonly label?: string;
}

const tests = {
  /** What `onMessage` was called with, and the label of the function that was called. */
  heard: [] as { label: string; data: string }[],
  events: [] as string[],
  /** How often React ran the effects of the component. */
  mounted: 0,
  socket: null as ReturnType<typeof useEverSocket>["socket"],
  show,
};
export type Tests = typeof tests;

// A socket that is closed again before the module is there has never dialled, and one too many would not show.
await init();
Object.assign(globalThis, { tests });

function Feed({ url, keep, isAnew = false, label = "" }: Wish) {
  const address = isAnew && url !== null ? new URL(url, location.href.replace("http", "ws")) : url;
  const { socket, readyState, reconnecting, messages } = useEverSocket<string>(address, {
    ...(isAnew && { protocols: ["one", "two"] }),
    ...(keep !== undefined && { keep }),
    onMessage: ({ data }) => tests.heard.push({ label, data }),
    onEvent: ({ type }) => tests.events.push(type),
    backoff: { floor: 20, first: 100, max: 200 },
  });
  tests.socket = socket;
  useEffect(() => {
    tests.mounted += 1;
  }, []);
  return (
    <>
      <p role="status">{["connecting", "open", "closing", "closed"][readyState]}</p>
      <p role="alert">{reconnecting && `attempt ${reconnecting.attempt}`}</p>
      <ol>
        {messages.map((message, index) => (
          <li key={index}>{message}</li>
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
