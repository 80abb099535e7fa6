/**
 * A gate in front of costly work: so many at a time, so many waiting in order of arrival, the rest told to come back.
 * Doesn't know what the work is.
 */
import { AppError } from '../errors.ts';

export interface GateOptions {
  /** Pieces of work that may run at the same time. */
  concurrency: number;
  /** Callers that may wait beyond those. */
  queue: number;
}

export interface GateStats {
  running: number;
  waiting: number;
  /** Callers turned away since the start. */
  refused: number;
}

interface Waiter {
  start(): void;
}

/** The weight of the newest measurement in the average duration. */
const SMOOTHING = 0.2;

export function createGate({ concurrency, queue }: GateOptions) {
  // A Set keeps the order of arrival and drops an aborted waiter from the middle at no cost.
  const waiting = new Set<Waiter>();
  let running = 0;
  let refused = 0;
  let averageMs = 50;

  const busy = () =>
    new AppError('busy', {
      message: 'Too many people are signing in at this moment. Try again in a few seconds.',
      retryAfter: Math.max(1, Math.ceil((averageMs * (queue + concurrency)) / concurrency / 1000)),
    });

  /** Resolves when a place is taken. An abort leaves the queue at once. */
  function enter(signal?: AbortSignal): Promise<void> | undefined {
    signal?.throwIfAborted();
    if (running < concurrency) {
      running += 1;
      return undefined;
    }
    if (waiting.size >= queue) {
      refused += 1;
      throw busy();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.delete(waiter);
        reject(signal?.reason);
      };
      const waiter = {
        start() {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      waiting.add(waiter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Hands the place to the one who waits longest, so that a newcomer can't slip in between. */
  function release() {
    const [next] = waiting;
    if (!next) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next.start();
  }

  return {
    /** Runs `work` when its turn comes. Running work is not interrupted by an abort: it holds its place to its end.
     * @throws AppError busy (with `retryAfter`, seconds), the signal's reason, or what the work throws. */
    async run<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
      await enter(signal);
      const startedAt = performance.now();
      try {
        return await work();
      } finally {
        averageMs += SMOOTHING * (performance.now() - startedAt - averageMs);
        release();
      }
    },

    stats: (): GateStats => ({ running, waiting: waiting.size, refused }),
  };
}

export type Gate = ReturnType<typeof createGate>;
