/** Sliding windows of counters: what they are, and how two stores of them make one. Speaks no SQL. */
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.ts';

export interface Windows {
  /** Counts one hit. Resolves with the hits of the last `durationMs` including this one, weighing the window before
   * by the part of it that still counts. */
  hit(key: string, durationMs: number): Promise<number>;
}

/** Hits of a fixed window, and of the one before it. */
export interface Counts {
  current: number;
  before: number;
}

export const slide = ({ current, before }: Counts, now: number, durationMs: number): number =>
  before * (1 - (now % durationMs) / durationMs) + current;

/** Until the fixed window ends, in whole seconds, at least one. */
export const secondsLeft = (durationMs: number, now = Date.now()): number =>
  Math.ceil((durationMs - (now % durationMs)) / 1000);

interface LeaseOptions {
  count(key: string, durationMs: number, now: number, hits: number): Promise<Counts>;
  /** Hits that are counted ahead with one write, and then given out here. */
  size: number;
  /** Sources that are remembered; the least recently seen is forgotten first, with what it had left. */
  sources?: number;
}

interface Lease extends Counts {
  index: number;
  /** Of what was counted ahead, what is left. */
  left: number;
}

/** Windows that several processes share, at the cost of one write for `size` hits: never more hits than allowed, and
 * with several processes up to that many fewer for each of them. */
export function createLeasedWindows({ count, size, sources = 100_000 }: LeaseOptions): Windows {
  const leases = new LRUCache<string, Promise<Lease>>(growing(sources));

  /** Takes one of what was counted ahead. */
  async function take(key: string, durationMs: number, now: number): Promise<Counts> {
    const index = Math.floor(now / durationMs);
    for (;;) {
      const known = leases.get(key);
      const lease = known && (await known);
      if (lease?.index === index && lease.left > 0) {
        lease.left -= 1;
        return { current: lease.current - lease.left, before: lease.before };
      }
      // Somebody else of this turn has begun the next one.
      if (leases.get(key) !== known) continue;
      const next = count(key, durationMs, now, size).then((counts) => ({ ...counts, index, left: size }));
      leases.set(key, next);
      next.catch(() => leases.delete(key));
    }
  }

  return {
    async hit(key, durationMs) {
      const now = Date.now();
      return slide(await take(key, durationMs, now), now, durationMs);
    },
  };
}

export interface VolatileCounter {
  /** Undefined when it can't count now. */
  count(key: string, durationMs: number, now: number): Promise<Counts | undefined>;
}

/**
 * Counts in the volatile store while it answers, and behind it otherwise. Once it did not, it is not asked again before
 * two windows have passed: whatever it forgot, at most as many hits pass again as the limit allows (SECURITY D7).
 */
export function createSharedWindows({ counter, behind }: { counter: VolatileCounter; behind: Windows }): Windows {
  let faultAt = Number.NEGATIVE_INFINITY;
  return {
    async hit(key, durationMs) {
      const now = Date.now();
      if (now - faultAt >= 2 * durationMs) {
        const counts = await counter.count(key, durationMs, now);
        if (counts) return slide(counts, now, durationMs);
        faultAt = Date.now();
      }
      return behind.hit(key, durationMs);
    },
  };
}

/** Of one process, bounded; the least recently seen source is forgotten first. */
export function createMemoryWindows({ sources = 100_000 }: { sources?: number } = {}): Windows {
  const windows = new LRUCache<string, Counts & { index: number }>(growing(sources));
  return {
    async hit(key, durationMs) {
      const now = Date.now();
      const index = Math.floor(now / durationMs);
      const known = windows.get(key);
      const before = known?.index === index ? known.before : known?.index === index - 1 ? known.current : 0;
      const current = (known?.index === index ? known.current : 0) + 1;
      windows.set(key, { index, before, current });
      return slide({ current, before }, now, durationMs);
    },
  };
}

/** Milliseconds for which a store that took no write is not asked again. */
const ASIDE_MS = 2000;

/**
 * For what nobody guesses at: a store that takes no writes now does not close pages that only read, and holds up the
 * first that finds it so, not all.
 */
export function createPatientWindows(windows: Windows, otherwise: Windows): Windows {
  let asideUntil = Number.NEGATIVE_INFINITY;
  return {
    async hit(key, durationMs) {
      if (performance.now() < asideUntil) return otherwise.hit(key, durationMs);
      try {
        return await windows.hit(key, durationMs);
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'storage_unavailable')) throw error;
        asideUntil = performance.now() + ASIDE_MS;
        return otherwise.hit(key, durationMs);
      }
    },
  };
}

/** A bound that reserves nothing: with `max` the cache would hold megabytes for nobody. */
export function growing(most: number) {
  return { maxSize: most, sizeCalculation: () => 1 };
}
