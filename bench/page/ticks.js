const SYMBOLS = ["NVDA", "AAPL", "MSFT", "AMZN", "GOOG", "META", "TSLA", "AVGO", "ORCL", "NFLX"];

/** Texts as the companion server's `/ticker` sends them, each another, about so many characters long. */
export function ticks(characters, count) {
  return Array.from({ length: count }, (_, index) => tick(characters, index * 1000));
}

function tick(characters, first) {
  const updates = [];
  const time = 1_790_000_000_000.125 + first;
  const text = () => JSON.stringify({ type: "updates", server_time: time, updates });
  for (let seq = first; ; seq++) {
    updates.push({ seq, symbol: SYMBOLS[seq % SYMBOLS.length], price: (10_000 + ((seq * 7919) % 9973)) / 100, time });
    if (text().length + 40 > characters) return text();
  }
}
