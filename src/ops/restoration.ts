/**
 * What has to happen to a database that was restored before anybody is served from it. Nobody knows what was revoked,
 * redeemed or sent after its backup was made, so whatever lets somebody in ends: in one unit of work with its record.
 * The data key under which all of it is sealed is made anew, here and in Redis, so that not even a row or a value that
 * was overlooked opens.
 */
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import {
  dropWaitingMail,
  forgetExpired,
  forgetWhatOpens,
  newestEvent,
  signedInAccounts,
  spendTimeSteps,
} from './restore-store.ts';

const PAGE = 500;
const TOTP_PERIOD_MS = 30_000;

export interface Restored {
  /** How many accounts were signed in somewhere. */
  people: number;
  /** How many mails that waited were dropped. */
  mails: number;
  /** ISO 8601 in UTC: the newest event of the backup. What happened later is lost. */
  until: string | null;
}

export interface RestorationOptions {
  db: Pick<Database, 'write'>;
  /** Steps: every session of an account, by the one way a session ends. */
  endSessions(accountId: string): Steps<unknown>;
  /** Steps: what was sealed as a payload can't be opened any more. */
  renewPayloadKey(): Steps<void>;
  /** Steps: the record of it. */
  record(restored: Restored): Steps<void>;
}

export function createRestoration({ db, endSessions, renewPayloadKey, record }: RestorationOptions) {
  function* endAll(): Steps<number> {
    let people = 0;
    for (let after = ''; ; ) {
      const accounts = yield* signedInAccounts(after, PAGE);
      for (const id of accounts) yield* endSessions(id);
      people += accounts.length;
      if (accounts.length < PAGE) return people;
      after = accounts.at(-1) as string;
    }
  }

  return (): Promise<Restored> =>
    db.write(function* () {
      const now = Date.now();
      const newest = yield* newestEvent();
      yield* forgetExpired(now);
      const people = yield* endAll();
      yield* forgetWhatOpens();
      yield* spendTimeSteps(Math.floor(now / TOTP_PERIOD_MS));
      const mails = yield* dropWaitingMail();
      yield* renewPayloadKey();
      const until = newest === undefined ? null : new Date(newest).toISOString();
      const restored = { people, mails, until };
      yield* record(restored);
      return restored;
    });
}
