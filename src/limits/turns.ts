/** Who is being looked at, by source: one that met a limit only because of others under way waits for their end instead
 * of being refused, so that a whole office may sign in at nine o'clock. Of this process alone. */

export function createTurns({ patienceMs }: { patienceMs: number }) {
  const underWay = new Map<string, { count: number; waiting: Array<(settled: boolean) => void> }>();

  return {
    /** @returns what is to be called when it has ended. */
    begin(source: string): () => void {
      const entry = underWay.get(source) ?? { count: 0, waiting: [] };
      underWay.set(source, entry);
      entry.count += 1;
      return () => {
        entry.count -= 1;
        if (entry.count > 0) return entry.waiting.shift()?.(true);
        underWay.delete(source);
        for (const wake of entry.waiting) wake(true);
      };
    },

    /** Resolves with true when another of this source has ended; with false where there is none, or after a while. */
    next(source: string): Promise<boolean> {
      const entry = underWay.get(source);
      if (!entry) return Promise.resolve(false);
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          entry.waiting = entry.waiting.filter((each) => each !== wake);
          resolve(false);
        }, patienceMs);
        const wake = (settled: boolean) => {
          clearTimeout(timer);
          resolve(settled);
        };
        entry.waiting.push(wake);
      });
    },
  };
}
