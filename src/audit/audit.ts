/**
 * The append-only record of security events. `record` is steps of the unit of work that changes something, so that
 * the change and its record are one: losing the record fails the action.
 */
import type { Database } from '../db/database.ts';
import { afterCommit, type Steps } from '../db/statement.ts';
import { takeRandom } from '../keyring/random.ts';
import type { AuditEntry, NewEvent } from './events.ts';
import type { Facts, Macs } from './macs.ts';
import type { AuditStore, Filter, Row } from './store.ts';

/** A header is somebody else's text: only so much of it is kept. */
const MAX_TEXT = 512;
const EXPORT_PAGE = 500;

export interface AuditOptions {
  db: Database;
  store: AuditStore;
  macs: Macs;
  /** Hears of each event once it is committed. */
  onRecorded?: ((event: NewEvent) => void) | undefined;
}

export function createAudit({ db, store, macs, onRecorded }: AuditOptions) {
  let count = Math.floor(Math.random() * 0x8000);

  /** Time first, then a count, so that what one process records lies in the order in which it happened. */
  function newId(at: number): string {
    count = (count + 1) % 0x10000;
    return (
      at.toString(16).padStart(12, '0') + count.toString(16).padStart(4, '0') + takeRandom(9).toString('base64url')
    );
  }

  function rowOf(event: NewEvent): Facts & { mac: string } {
    const { by } = event;
    const at = Date.now();
    const row: Facts = {
      id: newId(at),
      at,
      type: event.type,
      outcome: event.outcome ?? 'success',
      account_id: event.account ?? null,
      client_id: event.client ?? null,
      session_id: event.session ?? null,
      via: by.via,
      ip: by.ip,
      user_agent: by.userAgent?.slice(0, MAX_TEXT).toWellFormed().replaceAll('\0', '') ?? null,
      request_id: by.requestId,
      details: JSON.stringify(event.details ?? {}),
    };
    return { ...row, mac: macs.row(row) };
  }

  function* record(event: NewEvent): Steps<void> {
    const insert = store.insert(rowOf(event));
    yield* onRecorded ? afterCommit(insert, () => onRecorded(event)) : insert;
  }

  async function list(filter: Filter, limit: number, cursor?: string) {
    const rows = await store.list(filter, limit + 1, cursor);
    const items = rows.slice(0, limit).map(entryOf);
    return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  return {
    record,

    /** An event that changes nothing, in a unit of work of its own. */
    note: (event: NewEvent): Promise<void> => db.write(() => record(event)),

    /** The same as a part of what the request under way does. */
    noteLater: (event: NewEvent): Promise<void> =>
      store.insertLater(rowOf(event), onRecorded && (() => onRecorded(event))),

    pseudonym: macs.pseudonym,

    /** Steps: takes address, device, request and details from at most `limit` rows about an account, those behind the
     * row `after`. What happened and when stays, and the chain still verifies. Yields the last row; undefined: no more. */
    *erase(account: string, after: string, limit: number): Steps<string | undefined> {
      const rows = yield* store.personal(account, after, limit);
      for (const row of rows) yield* store.erase(row.id, macs.erased(row));
      return rows.length < limit ? undefined : rows.at(-1)?.id;
    },

    /** What happened around an account last, newest first. */
    outcomes: store.outcomes,

    /** Newest first; `next` is the cursor of the next page. */
    list,

    /** Every entry that fits, newest first, page by page. */
    async *entries(filter: Filter): AsyncGenerator<AuditEntry[]> {
      let cursor: string | undefined;
      do {
        const page = await list(filter, EXPORT_PAGE, cursor);
        yield page.items;
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
    },
  };
}

export type Audit = ReturnType<typeof createAudit>;
/** What features need of it. */
export type Recorder = Pick<Audit, 'record' | 'note' | 'pseudonym'>;

function entryOf(row: Row): AuditEntry {
  const { mac: _mac, chain: _chain, erased: _erased, at, details, seq, ...facts } = row;
  return {
    ...(facts as Omit<AuditEntry, 'at' | 'details' | 'seq'>),
    seq,
    at: new Date(at).toISOString(),
    details: JSON.parse(details) as Record<string, unknown>,
  };
}
