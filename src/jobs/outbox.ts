/**
 * The durable outbox: what must happen after a commit, at least once, with leases, growing pauses and a dead-letter
 * state. Receivers can tell a repetition by the job's id. Each kind has a lane of its own, so that a mail server that
 * hangs delays no logout notice. Knows no kind of work: handlers are handed in.
 */
import { newIdentifier } from '../artifacts/identifier.ts';
import { createLane, type Handler, type LaneFailure } from './lane.ts';
import type { OutboxStore } from './store.ts';

export const DAY_MS = 86_400_000;

export interface OutboxOptions {
  store: OutboxStore;
  handlers: Record<string, Handler>;
  /** Milliseconds for a whole delivery; for tests. */
  deadlineMs?: number;
  onDelivered?(kind: string): void;
  onFailure(job: LaneFailure, error: unknown): void;
}

export function createOutbox({ handlers, ...options }: OutboxOptions) {
  const lanes = new Map<string, ReturnType<typeof createLane>>();
  let stopped = true;

  function handle(kind: string, handler: Handler): void {
    const lane = createLane({ kind, handler, ...options });
    lanes.set(kind, lane);
    if (!stopped) lane.start();
  }

  for (const [kind, handler] of Object.entries(handlers)) handle(kind, handler);

  return {
    /** The work of one kind; jobs of a kind that nobody handles wait for an instance that does. */
    handle,

    /** Steps for the caller's unit of work; call `wake` after its commit. `lifetimeMs` bounds the retries. */
    *enqueue(kind: string, payload: unknown, lifetimeMs = DAY_MS) {
      yield* options.store.insert({ id: newIdentifier(), kind, payload, expiresAt: Date.now() + lifetimeMs });
    },

    /** Jobs of this kind, or of any, were committed. */
    wake(kind?: string): void {
      if (stopped) return;
      for (const lane of kind === undefined ? lanes.values() : [lanes.get(kind)]) lane?.wake();
    },

    start(): void {
      stopped = false;
      for (const lane of lanes.values()) lane.start();
    },

    /** Resolves when the deliveries that were under way have ended. */
    async stop(): Promise<void> {
      stopped = true;
      await Promise.all([...lanes.values()].map((lane) => lane.stop()));
    },
  };
}

export type Outbox = ReturnType<typeof createOutbox>;
