/** Removes expired rows in small batches, so that no request feels it. Knows no table: each sweep removes at most as
 * many rows as it is told, and says how many there were. */

const BATCH = 200;
const PAUSE_MS = 20;
const ROUND_MS = 60_000;

export interface SweepOptions {
  sweeps: Array<(limit: number) => Promise<number>>;
  /** One failed; those behind it have their turn all the same. */
  onError(error: unknown): void;
}

/** @returns a function that stops and resolves when the batch under way has ended. */
export function startSweeping({ sweeps, onError }: SweepOptions): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let working = Promise.resolve();

  async function round(): Promise<void> {
    for (const sweep of sweeps) await removeAll(sweep).catch(onError);
  }

  async function removeAll(sweep: SweepOptions['sweeps'][number]): Promise<void> {
    while (!stopped && (await sweep(BATCH)) === BATCH) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }

  function schedule(): void {
    timer = setTimeout(
      () => {
        working = round().finally(() => {
          if (!stopped) schedule();
        });
      },
      ROUND_MS * (0.9 + Math.random() / 5),
    );
    timer.unref();
  }

  schedule();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await working;
  };
}
