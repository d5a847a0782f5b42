import { MainThread } from "../support/cpu.js";
import { median, quantile } from "../support/statistics.js";

/** Bytes of a message, and how many are on their way at a time. */
const SIZE = 32;
const IN_FLIGHT = 64;
/** Characters of a tick. */
export const TICK = 200;

/** How much of each makes a slice, after which the next client takes its turn. */
export const SLICE = { messages: 2_000, roundTrips: 200, ticks: 10_000 };

/** A client in a page of its own, connected to an echo and to a server that pushes ticks. */
export class Contender {
  page;
  #file;
  #thread;
  #echoes;
  #slices = new Map();

  static async connect(browser, address, { file, ticksOnly }, { echo, pusher }) {
    const contender = new Contender();
    contender.#file = file;
    contender.#echoes = !ticksOnly;
    contender.page = await browser.open(address);
    contender.#thread = await MainThread.of(browser, contender.page);
    const path = `/clients/${file}.js`;
    if (!ticksOnly) await contender.page.run("connect", path, echo.url, "echo");
    await contender.page.run("connect", path, pusher.url, "ticks");
    return contender;
  }

  /** One slice of everything. */
  async takeTurn(counts) {
    const found = [];
    for (const [kind, isText] of this.#echoes ? [["text", true], ["binary", false]] : []) {
      const { cpu, result } = await this.#watch("exchange", isText, SIZE, SLICE.messages, IN_FLIGHT, false);
      found.push([`${kind}_cpu`, (cpu * 1e6) / SLICE.messages], [`${kind}_rate`, SLICE.messages / (result / 1000)]);
      const times = await this.page.run("exchange", isText, SIZE, SLICE.roundTrips, 1, true);
      found.push(...times.map((time) => [`${kind}_trip`, time * 1000]));
    }
    const { cpu, result } = await this.#watch("receive", SLICE.ticks);
    found.push(["tick_cpu", (cpu * 1e6) / SLICE.ticks], ["tick_rate", SLICE.ticks / (result / 1000)]);
    if (!counts) return;
    for (const [name, value] of found) this.#slices.set(name, [...(this.#slices.get(name) ?? []), value]);
  }

  /** Client, name and value of each result: the median of the slices, and of round trips two quantiles. */
  results() {
    return [...this.#slices].flatMap(([name, values]) => {
      if (!name.endsWith("_trip")) return [[this.#file, name, median(values)]];
      const kind = name.replace("_trip", "");
      return [
        [this.#file, `${kind}_p50`, quantile(values, 0.5)],
        [this.#file, `${kind}_p99`, quantile(values, 0.99)],
      ];
    });
  }

  async #watch(...call) {
    const before = await this.#thread.seconds();
    const result = await this.page.run(...call);
    return { cpu: (await this.#thread.seconds()) - before, result };
  }
}
