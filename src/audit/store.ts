/** Rows of the record and of the marks on its chain. Rows are added, sealed once, and removed behind a cut only. */
import type { Database } from '../db/database.ts';
import { all, one, run, type Value } from '../db/statement.ts';
import type { Facts, Mark } from './macs.ts';

export interface Row extends Facts {
  mac: string;
  seq: number | null;
  chain: string | null;
  /** The hash of what an erasure left; null for a whole row. */
  erased: string | null;
}

/** What stands in place of the details of an erased row. */
export const ERASED_DETAILS = '{"erased":true}';

export interface StoredMark extends Mark {
  mac: string;
}

/** A checkpoint or a cut. */
export interface LastingMark extends StoredMark {
  /** Milliseconds since 1970. */
  at: number;
  /** Null in those of before there was a signature. */
  jws: string | null;
}

export interface Filter {
  account?: string | undefined;
  client?: string | undefined;
  type?: string | undefined;
  outcome?: string | undefined;
  /** Milliseconds since 1970, both inclusive. */
  since?: number | undefined;
  until?: number | undefined;
}

/** Identifiers begin with their time, so that a time is a place in their order. */
const place = (ms: number) => Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');

const INSERT = `INSERT INTO audit_events (id, at, type, outcome, account_id, client_id, session_id, via, ip, user_agent,
  request_id, details, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

function valuesOf(row: Facts & { mac: string }): Value[] {
  return [
    ...[row.id, row.at, row.type, row.outcome, row.account_id, row.client_id, row.session_id],
    ...[row.via, row.ip, row.user_agent, row.request_id, row.details, row.mac],
  ];
}

export function createAuditStore(db: Database) {
  const newest = (table: 'audit_checkpoints' | 'audit_cuts') =>
    db.one<LastingMark>(`SELECT seq, chain, at, mac, jws FROM ${table} ORDER BY seq DESC LIMIT 1`);

  return {
    /** Newest first, after the entry `cursor`. */
    list({ account, client, type, outcome, since, until }: Filter, limit: number, cursor?: string): Promise<Row[]> {
      const conditions: string[] = [];
      const values: Value[] = [];
      const where = (condition: string, value: Value) => {
        if (value === undefined) return;
        conditions.push(condition);
        values.push(value);
      };
      where('account_id = ?', account);
      where('client_id = ?', client);
      where('type = ?', type);
      where('outcome = ?', outcome);
      where('id >= ?', since === undefined ? undefined : place(since));
      where('id < ?', until === undefined ? undefined : place(until + 1));
      where('id < ?', cursor);
      const clause = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
      return db.all<Row>(`SELECT * FROM audit_events ${clause} ORDER BY id DESC LIMIT ?`, ...values, limit);
    },

    /** Of the newest entries about an account what happened, newest first. */
    outcomes: (account: string, limit: number) =>
      db.all<Pick<Row, 'type' | 'outcome'>>(
        'SELECT type, outcome FROM audit_events WHERE account_id = ? ORDER BY id DESC LIMIT ?',
        account,
        limit,
      ),

    /** In the order of the chain, `after` < seq <= `to`. */
    chained: (after: number, to: number, limit: number) =>
      db.all<Row & { seq: number; chain: string }>(
        'SELECT * FROM audit_events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
        after,
        to,
        limit,
      ),

    unsealed: (limit: number) => db.all<Row>('SELECT * FROM audit_events WHERE seq IS NULL ORDER BY id LIMIT ?', limit),

    /** The end of the chain as it was written down, and the highest place that any row has. */
    head: () =>
      db.one<StoredMark & { highest: number | null }>(
        `SELECT h.seq, h.chain, h.mac, (SELECT MAX(seq) FROM audit_events) AS highest FROM audit_head h WHERE h.id = 1`,
      ),

    lastCut: () => newest('audit_cuts'),
    lastCheckpoint: () => newest('audit_checkpoints'),

    checkpoints: (after: number) =>
      db.all<LastingMark>('SELECT seq, chain, at, mac, jws FROM audit_checkpoints WHERE seq > ? ORDER BY seq', after),

    /** Newest first. */
    newestCheckpoints: (limit: number) =>
      db.all<LastingMark>('SELECT seq, chain, at, mac, jws FROM audit_checkpoints ORDER BY seq DESC LIMIT ?', limit),

    async addMark(table: 'audit_checkpoints' | 'audit_cuts', mark: LastingMark): Promise<boolean> {
      const { seq, chain, at, mac, jws } = mark;
      const added = await db.run(
        `INSERT INTO ${table} (seq, chain, at, mac, jws) VALUES (?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING`,
        ...[seq, chain, at, mac, jws],
      );
      return added === 1;
    },

    /** The first place behind `after` whose entry is from `since` on. */
    firstSince: (after: number, since: number) =>
      db.one<{ seq: number }>(
        'SELECT seq FROM audit_events WHERE seq > ? AND at >= ? ORDER BY seq LIMIT 1',
        after,
        since,
      ),

    /** Entries up to a cut; the triggers refuse any other removal. */
    async removeTo(seq: number, limit: number): Promise<number> {
      await db.run('DELETE FROM audit_checkpoints WHERE seq <= ?', seq);
      return db.run(
        'DELETE FROM audit_events WHERE id IN (SELECT id FROM audit_events WHERE seq <= ? ORDER BY seq LIMIT ?)',
        seq,
        limit,
      );
    },

    /** As a part of what the request under way does. */
    insertLater: (row: Facts & { mac: string }, committed: (() => void) | undefined): Promise<void> =>
      db.laterTelling(committed, INSERT, ...valuesOf(row)),

    // What follows are steps of a caller's unit of work.
    *insert(row: Facts & { mac: string }) {
      yield* run(INSERT, ...valuesOf(row));
    },

    /** Rows about an account that still hold something of the person, in the order of their ids. */
    *personal(account: string, after: string, limit: number) {
      return yield* all<Row>(
        'SELECT * FROM audit_events WHERE account_id = ? AND id > ? AND erased IS NULL ORDER BY id LIMIT ?',
        account,
        after,
        limit,
      );
    },

    *erase(id: string, erased: string) {
      yield* run(
        `UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = NULL, details = ?, erased = ?
         WHERE id = ? AND erased IS NULL`,
        ERASED_DETAILS,
        erased,
        id,
      );
    },

    *headNow() {
      return (yield* one<Mark>('SELECT seq, chain FROM audit_head WHERE id = 1')) as Mark;
    },

    *waiting(limit: number) {
      return yield* all<{ id: string; mac: string }>(
        'SELECT id, mac FROM audit_events WHERE seq IS NULL ORDER BY id LIMIT ?',
        limit,
      );
    },

    /** Compare-and-swap: true for one of several sealers. */
    *moveHead(from: number, to: StoredMark) {
      return (
        (yield* run(
          'UPDATE audit_head SET seq = ?, chain = ?, mac = ? WHERE id = 1 AND seq = ?',
          to.seq,
          to.chain,
          to.mac,
          from,
        )) === 1
      );
    },

    *seal(id: string, { seq, chain }: Mark) {
      yield* run('UPDATE audit_events SET seq = ?, chain = ? WHERE id = ? AND seq IS NULL', seq, chain, id);
    },
  };
}

export type AuditStore = ReturnType<typeof createAuditStore>;
