/**
 * Guesses at a secret: counted before anybody compares, or refused unread once there were too many, so that parallel
 * guesses gain nothing. Doesn't know what is guessed.
 */
import { LRUCache } from 'lru-cache';
import { tooMany } from './refusal.ts';
import type { SqlWindows } from './window-store.ts';
import { growing, type Windows } from './windows.ts';

export interface Tries {
  /** Wrong tries in `durationMs`, for each key. */
  limits: Array<{ key: string; max: number }>;
  durationMs: number;
}

/** For tries by hand. Each is counted, and taken back when it was right. */
export function createCountedTries(windows: Pick<SqlWindows, 'hit' | 'takeBack'>) {
  /** Resolves with what `look` found, undefined for a wrong try. @throws AppError too_many_attempts. */
  return async function attempt<Found>({ limits, durationMs }: Tries, look: () => Promise<Found | undefined>) {
    for (const { key, max } of limits) {
      if ((await windows.hit(key, durationMs)) > max) throw tooMany({ seconds: durationMs / 1000, limit: max });
    }
    const found = await look();
    if (found !== undefined) for (const { key } of limits) await windows.takeBack(key, durationMs);
    return found;
  };
}

export interface FailuresOptions {
  /** What instances share. Asked at a failure only, so that the right secret costs nothing. */
  windows: Windows;
  max: number;
  durationMs: number;
  /** Keys that are remembered; the least recently seen is forgotten first. */
  keys?: number;
}

/** For comparisons by machines, of which nearly all are right: exact in this process, shared from a failure on. */
export function createFailures({ windows, max, durationMs, keys = 100_000 }: FailuresOptions) {
  const known = new LRUCache<string, { failures: number; until: number }>(growing(keys));

  function current(key: string): { failures: number; until: number } {
    const entry = known.get(key);
    return entry && entry.until > Date.now() ? entry : { failures: 0, until: Date.now() + durationMs };
  }

  return {
    /** @throws AppError too_many_attempts. To be asked in the same turn in which the comparison is made. */
    check(key: string): void {
      const { failures, until } = current(key);
      if (failures >= max) throw tooMany({ seconds: (until - Date.now()) / 1000, limit: max });
    },

    /** @returns how many there were in this window, in all instances. */
    async failed(key: string): Promise<number> {
      const { failures, until } = current(key);
      known.set(key, { failures: failures + 1, until });
      // Here it is known already: what is refused is written nowhere.
      const shared = await windows.hit(key, durationMs);
      if (shared >= max) known.set(key, { failures: max, until: Date.now() + durationMs });
      return shared;
    },
  };
}

export type Failures = ReturnType<typeof createFailures>;
