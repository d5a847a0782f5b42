import type { Cause, EverSocket, ReconnectingEvent } from "everwire";
import { Stocks, type Stock } from "./stocks.ts";

/** A WebSocket, and what an EverSocket tells beyond: the browser's own has none of it. */
type Socket = WebSocket & Partial<Pick<EverSocket, "onreconnecting" | "onreconnected" | "reconnect" | "serverTime" | "stats">>;
type Update = { symbol: string; price: number; time: number };
type Message = { type: "snapshot"; server_time: number; stocks: Stock[] } | { type: "updates"; updates: Update[] };

const CAUSES: Partial<Record<Cause, string>> = {
  "connect-timeout": "The server took too long to answer",
  "heartbeat-timeout": "The link went silent",
  "network-changed": "The network changed",
};
const byId = (id: string) => document.getElementById(id)!;

export function show(socket: Socket) {
  const stocks = new Stocks(byId("stocks"), byId("stock") as HTMLTemplateElement);
  let [updates, newest, dueAt, away] = [0, NaN, 0, 0];
  let drop: ReconnectingEvent | CloseEvent | undefined;

  socket.onopen = () => (drop = undefined);
  socket.onclose = (event) => (drop = event);
  socket.onreconnecting = (event) => {
    drop = event;
    dueAt = performance.now() + event.delay;
  };
  socket.onreconnected = ({ downtime }) => (away += downtime);
  socket.onmessage = ({ data }) => {
    const message: Message = JSON.parse(data);
    if (message.type === "snapshot") message.stocks.forEach((stock) => stocks.set(stock));
    else for (const { symbol, price } of message.updates) stocks.move(symbol, price);
    updates += message.type === "snapshot" ? 0 : message.updates.length;
    newest = message.type === "snapshot" ? message.server_time : message.updates.at(-1)!.time;
  };

  const draw = () => {
    const { readyState, stats } = socket;
    const left = dueAt - performance.now();
    const state = readyState === 1 ? "Connected" : readyState > 1 ? "Disconnected" : left > 0 ? "Reconnecting" : "Connecting";
    document.body.dataset.state = write("state", state);
    byId("now").hidden = state !== "Reconnecting";
    const cause = drop && "cause" in drop && CAUSES[drop.cause];
    write("cause", drop ? `${cause || "The connection was lost"} (code ${drop.code}).` : "");
    const next = drop && "attempt" in drop && `Attempt ${drop.attempt} ${left > 0 ? `in ${seconds(left)}` : "is under way"}.`;
    write("next", drop ? next || "Nothing brings it back: reload the page." : "");
    write("round-trip", duration(stats?.latency.last));
    write("round-trip-note", stats ? `90% within ${duration(stats.latency.p90)}` : "not measured");
    write("age", duration(Math.max((socket.serverTime ?? Date.now()) - newest, 0)));
    write("age-note", `by ${socket.serverTime ? "the server’s" : "this device’s"} clock`);
    write("updates", updates.toLocaleString("en"));
    write("reconnects", stats ? `${Math.max(stats.opened - 1, 0)}` : "–");
    write("reconnects-note", stats ? `${seconds(away)} away in all` : "none is ever made");
    stocks.draw();
  };
  setInterval(draw, 100);

  write("address", socket.url);
  byId("now").onclick = () => socket.reconnect?.();
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
    link.search = location.search;
    if (link.pathname.endsWith("plain.html") !== "stats" in socket) link.ariaCurrent = "page";
  }
}

/** Leaves alone what says so already, or a screen reader would read it again. */
function write(id: string, text: string) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
  return text;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const duration = (ms = NaN) => (isNaN(ms) ? "–" : ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : seconds(ms));
