/**
 * What limits refused, in the record: one event for a limit, for whom it holds back, and for a quarter of an hour or
 * the limit's own window, in all processes together. Who is refused a million times fills neither table nor log.
 */
import { LRUCache } from 'lru-cache';
import type { Recorder } from '../audit/audit.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { sourceOf } from './sources.ts';
import { countWindow } from './window-store.ts';
import { growing } from './windows.ts';

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
/** Events of one process in a minute, whoever is refused: an attacker may have a network of sources. */
const MOST_PER_MINUTE = 100;
const REMEMBERED = 10_000;

export interface Refusing {
  limit: string;
  /** The window of the limit. */
  durationMs: number;
  /** Who asked; an address alone where no more is known. */
  by: Origin | { ip: string | null };
  /** The canonical address of the person whom it is about, where the limit is one of theirs. */
  account?: string;
  /** What all share, such as the mails of one purpose: its end is an alarm for the operator. */
  budget?: string;
}

export interface RefusalsOptions {
  db: Database;
  audit: Pick<Recorder, 'record' | 'pseudonym'>;
  accountOf(canonical: string): Steps<{ id: string } | undefined>;
  /** Something that everybody shares is used up; told once, by one process. */
  onAlarm(facts: { limit: string; budget: string }): void;
  onError(error: unknown): void;
}

export function createRefusals({ db, audit, accountOf, onAlarm, onError }: RefusalsOptions) {
  const told = new LRUCache<string, number>(growing(REMEMBERED));
  const underWay = new Set<Promise<void>>();
  let minute = { index: 0, events: 0 };

  function hasRoom(now: number): boolean {
    const index = Math.floor(now / MINUTE_MS);
    if (minute.index !== index) minute = { index, events: 0 };
    minute.events += 1;
    return minute.events <= MOST_PER_MINUTE;
  }

  async function record(key: string, windowMs: number, { limit, by, account, budget }: Refusing): Promise<void> {
    const asked: Origin = { ...SYSTEM, ...by };
    const source = asked.ip === null ? null : sourceOf(asked.ip);
    const first = await db.write(function* () {
      const { current } = yield* countWindow(key, windowMs, Date.now(), 1);
      if (current > 1) return false;
      const person = account === undefined ? undefined : yield* accountOf(account);
      const details: Record<string, string | null> = { limit, source };
      if (account !== undefined) details['address'] = audit.pseudonym(account);
      if (budget !== undefined) details['budget'] = budget;
      yield* audit.record({ type: 'limit.refused', outcome: 'failure', account: person?.id, by: asked, details });
      return true;
    });
    if (first && budget !== undefined) onAlarm({ limit, budget });
  }

  return {
    /** Never waits and never throws: the refusal is the same with its record or without. */
    note(refusing: Refusing): void {
      const { limit, durationMs, by, account, budget } = refusing;
      const whom = budget ?? (account === undefined ? sourceOf(by.ip ?? 'none') : audit.pseudonym(account));
      const windowMs = Math.max(durationMs, QUARTER_MS);
      const now = Date.now();
      const key = `refused:${limit}:${whom}`;
      const index = Math.floor(now / windowMs);
      if (told.get(key) === index) return;
      told.set(key, index);
      if (!hasRoom(now)) return;
      const recorded = record(key, windowMs, refusing)
        .catch(onError)
        .finally(() => underWay.delete(recorded));
      underWay.add(recorded);
    },

    /** Before the database is closed. */
    async settled(): Promise<void> {
      await Promise.all(underWay);
    },
  };
}

export type Refusals = ReturnType<typeof createRefusals>;
