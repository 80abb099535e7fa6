/** Delivers the jobs of one kind, several at a time. A lease is renewed while its delivery lasts, so that no other
 * process takes the job; when this process dies, the lease ends and another takes it. A delivery has a deadline: one
 * that would never end gives its place back and is tried again. */
import type { Job, OutboxStore } from './store.ts';

const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
const PARALLEL = 10;
const DEADLINE_MS = 2 * 60_000;
/** Other processes' jobs and expired leases are looked for this often. */
const POLL_MS = 2_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** `signal` aborts at the deadline: whoever holds a connection closes it. */
export type Handler = (payload: never, job: { id: string; signal: AbortSignal }) => Promise<void>;

export interface LaneFailure {
  id: string;
  kind: string;
  attempts: number;
  dead: boolean;
}

export interface LaneOptions {
  kind: string;
  handler: Handler;
  store: OutboxStore;
  /** Milliseconds for a whole delivery; for tests. */
  deadlineMs?: number | undefined;
  onDelivered?: ((kind: string) => void) | undefined;
  onFailure(job: LaneFailure, error: unknown): void;
}

/** Whether an error says that repeating is useless. */
function isPermanent(error: unknown): boolean {
  return (error as { permanent?: unknown } | null)?.permanent === true;
}

export function createLane({ kind, handler, store, deadlineMs = DEADLINE_MS, ...heard }: LaneOptions) {
  const { onDelivered, onFailure } = heard;
  const flying = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let claiming: Promise<void> | undefined;
  let again = false;
  /** Jobs may be left for want of a place. */
  let crowded = false;
  /** When a delivery that failed here is due again. */
  let soonest = Number.POSITIVE_INFINITY;
  let stopped = true;

  async function deliver(job: Job): Promise<void> {
    if (job.expiresAt <= Date.now()) {
      const words = 'expired before it could be delivered';
      onFailure({ id: job.id, kind, attempts: job.attempts, dead: true }, new Error(words));
      return store.bury(job, words);
    }
    const renewal = setInterval(() => void store.renew(job, LEASE_MS).catch(() => {}), RENEW_MS);
    try {
      await inTime(deadlineMs, (signal) => handler(job.payload() as never, { id: job.id, signal }));
      onDelivered?.(kind);
      await store.done(job);
    } catch (error) {
      const dead = isPermanent(error);
      onFailure({ id: job.id, kind, attempts: job.attempts, dead }, error);
      const words = error instanceof Error ? error.message : String(error);
      if (dead) await store.bury(job, words);
      else await retry(job, words);
    } finally {
      clearInterval(renewal);
    }
  }

  async function retry(job: Job, words: string): Promise<void> {
    const dueAt = Date.now() + pause(job.attempts);
    await store.retry(job, dueAt, words);
    soonest = Math.min(soonest, dueAt);
    schedule();
  }

  function launch(job: Job): void {
    // The store does not answer: the job is safe in it, and is delivered again when its lease has ended.
    const flight: Promise<void> = deliver(job)
      .catch((error) => onFailure({ id: job.id, kind, attempts: job.attempts, dead: false }, error))
      .finally(() => {
        flying.delete(flight);
        if (crowded) wake();
      });
    flying.add(flight);
  }

  async function claim(): Promise<void> {
    do {
      again = false;
      if (soonest <= Date.now()) soonest = Number.POSITIVE_INFINITY;
      const free = PARALLEL - flying.size;
      crowded = free === 0;
      if (crowded) return;
      const jobs = await store.claim(kind, free, LEASE_MS);
      for (const job of jobs) launch(job);
      if (jobs.length === free) again = true;
    } while (again && !stopped);
  }

  function wake(): void {
    if (stopped) return;
    clearTimeout(timer);
    again = true;
    if (claiming) return;
    claiming = claim()
      .catch((error) => onFailure({ id: '-', kind, attempts: 0, dead: false }, error))
      .finally(() => {
        claiming = undefined;
        if (again && !stopped) wake();
        else schedule();
      });
  }

  function schedule(): void {
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(wake, Math.min(POLL_MS, Math.max(50, soonest - Date.now())));
    timer.unref();
  }

  return {
    wake,

    start(): void {
      stopped = false;
      wake();
    },

    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await claiming;
      await Promise.all(flying);
    },
  };
}

/** Fails at the deadline whatever the work does then. */
async function inTime(deadlineMs: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const deadline = new AbortController();
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`The delivery did not end within ${deadlineMs / 1000} seconds.`);
    over.reject(error);
    deadline.abort(error);
  }, deadlineMs);
  try {
    await Promise.race([over.promise, work(deadline.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

/** 1 s, doubling up to 5 minutes, with jitter so that a recovered receiver is not met by all at once. Whole
 * milliseconds: PostgreSQL takes no others. */
function pause(attempts: number): number {
  const even = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
  return Math.round(even * (0.75 + Math.random() / 2));
}
