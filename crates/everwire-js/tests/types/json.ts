import { EverSocket } from "everwire";
import { check, type Equal } from "./check.js";

interface Tick {
  symbol: string;
  price: number;
}
interface Order {
  buy: string;
}

export async function trade(socket: EverSocket) {
  const ticks = socket.json<Tick, Order>({ maxUnread: 10 });
  for await (const tick of ticks) {
    check<Equal<typeof tick, Tick>>();
    const outcome = ticks.send({ buy: tick.symbol }, { key: tick.symbol });
    check<Equal<typeof outcome, "sent" | "queued" | "refused">>();
    // @ts-expect-error Ticks only come in.
    ticks.send(tick);
  }

  const same = socket.json<Tick>();
  same.send({ symbol: "NVDA", price: 1 });

  for await (const value of socket.json()) {
    check<Equal<typeof value, unknown>>();
  }
}
