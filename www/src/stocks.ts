export interface Stock {
  symbol: string;
  company: string;
  price: number;
  open: number;
}

/** How many prices a curve shows, and the size of its drawing. */
const [CURVE, WIDTH, HEIGHT] = [60, 120, 36];
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 2, signDisplay: "exceptZero" });

/** A card for each stock, made from a template. */
export class Stocks {
  #cards = new Map<string, { element: HTMLElement; open: number; curve: number[] }>();
  #moved = new Set<string>();

  constructor(private list: Element, private template: HTMLTemplateElement) {}

  set({ symbol, company, price, open }: Stock) {
    if (!this.#cards.has(symbol)) {
      const element = this.template.content.firstElementChild!.cloneNode(true) as HTMLElement;
      write(element, { company, symbol });
      this.list.append(element);
      this.#cards.set(symbol, { element, open, curve: [] });
    }
    this.move(symbol, price);
  }

  move(symbol: string, price: number) {
    const curve = this.#cards.get(symbol)?.curve;
    if (curve && curve.push(price) > CURVE) curve.shift();
    this.#moved.add(symbol);
  }

  /** Draws what moved since it was last called. */
  draw() {
    for (const { element, open, curve } of [...this.#moved].flatMap((symbol) => this.#cards.get(symbol) ?? [])) {
      const price = curve.at(-1)!;
      element.dataset.trend = price < open ? "fall" : "rise";
      write(element, { price: money.format(price), change: percent.format(price / open - 1).replace("-", "−") });
      element.querySelector("polyline")!.setAttribute("points", points(curve));
    }
    this.#moved.clear();
  }
}

function write(element: Element, texts: Record<string, string>) {
  for (const [name, text] of Object.entries(texts)) element.querySelector(`.${name}`)!.textContent = text;
}

/** A curve that fills the height of its drawing and ends at the right. */
function points(curve: number[]) {
  const [low, high] = [Math.min(...curve), Math.max(...curve)];
  const x = (index: number) => ((index + CURVE - curve.length) / (CURVE - 1)) * WIDTH;
  const y = (price: number) => ((high - price) / (high - low || 1)) * HEIGHT;
  return curve.map((price, index) => `${x(index).toFixed(1)},${y(price).toFixed(1)}`).join(" ");
}
