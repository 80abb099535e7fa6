/**
 * The ONE way a browser session of a person begins, as a part of the request under way. A person has so many at once:
 * with one more the longest unused ends, by the one way sessions end (endings.ts) and in the same unit of work.
 */
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { standInLine, unusedBeyond } from './ending-store.ts';
import type { Endings } from './endings.ts';
import type { SessionStore, Visitor } from './session-store.ts';

export interface BeginningOptions {
  db: Database;
  sessions: Pick<SessionStore, 'put'>;
  endings: Pick<Endings, 'session'>;
  /** How many a person may have at once. */
  max: number;
  /** After the commit: the grants that ended. */
  onEnded(grantIds: string[]): void;
}

export function createBeginning({ db, sessions, endings, max, onEnded }: BeginningOptions) {
  /** Stores a session in which somebody just signed in; one that goes on with a new id is no further one. `epoch` is
   * the account's when the sign-in began. @throws (at the latest at the end of the request) AppError
   * interaction_expired with another epoch. */
  return (
    id: string,
    payload: Record<string, unknown> & { uid: string; accountId: string },
    expiresAt: number,
    visitor: Visitor,
    by: Origin,
    epoch?: number,
  ): Promise<void> => {
    const { uid, accountId } = payload;
    const row = sessions.put(id, payload, expiresAt, visitor);
    return db.laterUnit(function* () {
      // Sign-ins at the same time would each count without the others.
      if (!(yield* standInLine(accountId, epoch))) throw signedOut();
      const ended: string[] = [];
      for (const unused of yield* unusedBeyond(accountId, uid, max - 1))
        ended.push(...(yield* endings.session(unused, { reason: 'too_many', by })));
      yield* row(() => ended.length > 0 && onEnded(ended));
    });
  };
}

function signedOut(): AppError {
  const message = 'The account was signed out everywhere while this sign-in was under way. Sign in again.';
  return new AppError('interaction_expired', { message });
}
