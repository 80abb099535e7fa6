/**
 * The durable outbox: what must happen after a commit, at least once, with leases, growing pauses and a dead-letter
 * state. Receivers can tell a repetition by the job's id. Knows no kind of work: handlers are handed in.
 */
import { newIdentifier } from '../artifacts/identifier.ts';
import type { Job, OutboxStore } from './store.ts';

const LEASE_MS = 60_000;
const BATCH = 10;
/** Other instances' jobs and expired leases are looked for this often. */
const POLL_MS = 5000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5 * 60_000;

export type Handler = (payload: never, job: { id: string }) => Promise<void>;

export interface OutboxOptions {
  store: OutboxStore;
  handlers: Record<string, Handler>;
  onFailure(job: { id: string; kind: string; attempts: number; dead: boolean }, error: unknown): void;
}

/** Whether an error says that repeating is useless. */
function isPermanent(error: unknown): boolean {
  return (error as { permanent?: unknown } | null)?.permanent === true;
}

export function createOutbox({ store, handlers, onFailure }: OutboxOptions) {
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  let again = false;
  let stopped = true;

  async function deliver(job: Job): Promise<void> {
    if (job.expiresAt <= Date.now()) return store.bury(job.id, 'expired before it could be delivered');
    try {
      const handler = handlers[job.kind];
      if (!handler) throw Object.assign(new Error(`no handler for ${job.kind}`), { permanent: true });
      await handler(job.payload as never, { id: job.id });
      await store.done(job.id);
    } catch (error) {
      const dead = isPermanent(error);
      onFailure({ id: job.id, kind: job.kind, attempts: job.attempts, dead }, error);
      const words = error instanceof Error ? error.message : String(error);
      if (dead) await store.bury(job.id, words);
      else await store.retry(job.id, Date.now() + pause(job.attempts), words);
    }
  }

  async function work(): Promise<void> {
    do {
      again = false;
      for (;;) {
        const jobs = await store.claim(BATCH, LEASE_MS);
        if (jobs.length === 0) break;
        await Promise.all(jobs.map(deliver));
      }
    } while (again);
  }

  function run(): void {
    clearTimeout(timer);
    if (working) {
      again = true;
      return;
    }
    working = work()
      // The store does not answer: the jobs are safe in it, and the next round finds them.
      .catch((error) => onFailure({ id: '-', kind: 'outbox', attempts: 0, dead: false }, error))
      .finally(() => {
        working = undefined;
        if (!stopped) schedule();
      });
  }

  async function schedule(): Promise<void> {
    const due = await store.nextDue().catch(() => undefined);
    if (stopped) return;
    const wait = due === undefined ? POLL_MS : Math.min(POLL_MS, Math.max(50, due - Date.now()));
    timer = setTimeout(run, wait);
    timer.unref();
  }

  return {
    /** Steps for the caller's unit of work; call `wake` after its commit. `lifetimeMs` bounds the retries. */
    *enqueue(kind: string, payload: unknown, lifetimeMs = 86_400_000) {
      yield* store.insert({ id: newIdentifier(), kind, payload, expiresAt: Date.now() + lifetimeMs });
    },

    wake(): void {
      if (!stopped) run();
    },

    start(): void {
      stopped = false;
      run();
    },

    /** Resolves when the deliveries that were under way have ended. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await working;
    },
  };
}

export type Outbox = ReturnType<typeof createOutbox>;

/** 1 s, doubling up to 5 minutes, with jitter so that a recovered receiver is not met by all at once. */
function pause(attempts: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1)) * (0.75 + Math.random() / 2);
}
