/** What an operator does with the outbox: look, try again, discard. What could not be delivered is kept 30 days. */

import type { Recorder } from '../audit/audit.ts';
import { OPERATOR, type Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { DAY_MS } from './outbox.ts';
import type { LetterRow, LetterState, OutboxStore } from './store.ts';

const KEPT_MS = 30 * DAY_MS;
const PAGE = 100;

/** A job as an operator sees it: never what it carries. Times are ISO 8601 in UTC. */
export interface Letter {
  id: string;
  kind: string;
  state: LetterState;
  attempts: number;
  last_error: string | null;
  created_at: string;
  /** When it is tried next, or since when it is dead. */
  due_at: string;
  expires_at: string;
}

export interface DeadLettersOptions {
  db: Database;
  store: OutboxStore;
  audit: Recorder;
}

export function createDeadLetters({ db, store, audit }: DeadLettersOptions) {
  const gone = (id: string) => new AppError('not_found', { message: `There is no job ${id} in the outbox.` });

  async function retry(id: string, by: Origin = OPERATOR): Promise<void> {
    await db.write(function* () {
      const letter = yield* store.find(id);
      if (!letter) throw gone(id);
      if (letter.state === 'waiting') {
        if ((yield* store.hasten(id)) === 1) return;
        throw new AppError('conflict', { message: `The job ${id} is being delivered at this moment.` });
      }
      if (tooOld(letter)) {
        const message = `The job ${id} carries something that holds no longer (such as an expired code). Discard it.`;
        throw new AppError('conflict', { message });
      }
      yield* store.revive(id, Math.max(letter.expires_at, Date.now() + DAY_MS));
      yield* audit.record({ type: 'outbox.retried', by, details: { job: id, kind: letter.kind } });
    });
  }

  return {
    /** Oldest first; `next` is the cursor of the next page. */
    async list(query: { state?: LetterState | undefined; limit: number; cursor?: string | undefined }) {
      const rows = await store.list(query.state, query.limit + 1, query.cursor);
      const items = rows.slice(0, query.limit).map(letterOf);
      return { items, next: rows.length > query.limit ? (items.at(-1)?.id ?? null) : null };
    },

    /** Dead, or waiting for its next try: a running instance delivers it within seconds.
     * @throws AppError not_found, conflict. */
    retry,

    /** Everything that still makes sense and is not being delivered. Resolves with the ids. */
    async retryAll(by: Origin = OPERATOR): Promise<string[]> {
      const retried: string[] = [];
      let cursor: string | undefined;
      for (;;) {
        const rows = await store.list(undefined, PAGE, cursor);
        for (const row of rows.filter((each) => !tooOld(each))) {
          if (await retry(row.id, by).then(() => true, goneMeanwhile)) retried.push(row.id);
        }
        if (rows.length < PAGE) return retried;
        cursor = rows.at(-1)?.id;
      }
    },

    /** Never to be delivered. @throws AppError not_found. */
    async discard(id: string, by: Origin = OPERATOR): Promise<void> {
      await db.write(function* () {
        const letter = yield* store.find(id);
        if (!letter || (yield* store.discard(id)) !== 1) throw gone(id);
        yield* audit.record({ type: 'outbox.discarded', by, details: { job: id, kind: letter.kind } });
      });
    },

    sweep: (limit: number) => store.purge(Date.now() - KEPT_MS, limit),
  };
}

export type DeadLetters = ReturnType<typeof createDeadLetters>;

/** Delivered since it was listed, or about to be. */
function goneMeanwhile(error: unknown): false {
  if (error instanceof AppError && ['not_found', 'conflict'].includes(error.code)) return false;
  throw error;
}

/** A code or link that lives shorter than a day says nothing true after its end; a notice always does. */
function tooOld(letter: LetterRow): boolean {
  return letter.expires_at <= Date.now() && letter.expires_at - letter.created_at < DAY_MS;
}

function letterOf(row: LetterRow): Letter {
  const iso = (ms: number) => new Date(ms).toISOString();
  return { ...row, created_at: iso(row.created_at), due_at: iso(row.due_at), expires_at: iso(row.expires_at) };
}
