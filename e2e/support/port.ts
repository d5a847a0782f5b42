/** How many ports each worker has for the servers of its tests, how many workers each run has, and how many runs a machine has room for. */
const [EACH, WORKERS, RUNS] = [50, 8, 25];
/** All of them lie below the ports that systems give to whoever asks for any: from 32768 on with Linux, from 49152 with others. */
const FIRST = 20_000;

const run = process.ppid % RUNS;
const worker = Number(process.env["TEST_PARALLEL_INDEX"] ?? 0) % WORKERS;
let taken = 0;

/** A port that nobody else is given while a server of ours is down. */
export function nextPort(): number {
  taken += 1;
  return FIRST + (run * WORKERS + worker) * EACH + (taken % EACH);
}
