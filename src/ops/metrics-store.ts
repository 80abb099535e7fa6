/** What is counted in the database when somebody asks for the metrics. Each count stops at its cap. */
import type { Database } from '../db/database.ts';

/** More rows than this are not counted: the value stays there. */
export const COUNT_CAP = 50_000;
/** Scrapes within this time share one answer. */
const FRESH_MS = 15_000;

export interface Counts {
  sessions: number;
  waiting: number;
  dead: number;
}

const CAPPED = {
  sessions: 'SELECT 1 FROM sessions WHERE account_id IS NOT NULL AND expires_at > ?',
  waiting: "SELECT 1 FROM outbox WHERE state = 'waiting' AND due_at > ?",
  dead: "SELECT 1 FROM outbox WHERE state = 'dead' AND due_at > ?",
};

export function createCounts(db: Pick<Database, 'all'>, freshMs = FRESH_MS) {
  let last: { at: number; counts: Promise<Counts> } | undefined;

  async function count(what: keyof Counts, since: number): Promise<number> {
    const sql = `SELECT COUNT(*) AS n FROM (${CAPPED[what]} LIMIT ${COUNT_CAP}) AS capped`;
    // Alone: on PostgreSQL reads of single rows hold each other up.
    return (await db.all<{ n: number }>(sql, since))[0]?.n ?? 0;
  }

  async function read(): Promise<Counts> {
    const sessions = await count('sessions', Date.now());
    return { sessions, waiting: await count('waiting', 0), dead: await count('dead', 0) };
  }

  /** Undefined for what does not answer now. */
  return async (what: keyof Counts): Promise<number | undefined> => {
    const now = performance.now();
    if (!last || now - last.at >= freshMs) last = { at: now, counts: read() };
    const asked = last;
    try {
      return (await asked.counts)[what];
    } catch {
      if (last === asked) last = undefined;
      return undefined;
    }
  };
}
