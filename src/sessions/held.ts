/** Whether who asks is still signed in when what they asked for is stored: between the two there may be an Argon2, and an
 * end of everything by somebody else. */
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { standInLine } from './ending-store.ts';
import type { Kept } from './endings.ts';
import { isBuried } from './tombstone-store.ts';

/** Steps: whether what was proved in a flow still counts. */
type FlowHolds = (flow: string, accountId: string) => Steps<boolean>;

/** Steps, nothing where nobody is named. @throws AppError interaction_expired for a flow, else unauthenticated. */
export const createRequireHeld = (flowHolds: FlowHolds) =>
  function* requireHeld(accountId: string, { session, grant, flow }: Kept = {}): Steps<void> {
    if (session === undefined && grant === undefined && flow === undefined) return;
    yield* standInLine(accountId);
    const message = 'You were signed out everywhere in the meantime. Sign in again.';
    if (flow !== undefined && !(yield* flowHolds(flow, accountId)))
      throw new AppError('interaction_expired', { message });
    const headers = { 'WWW-Authenticate': 'Bearer' };
    const ends = [session && `session:${session}`, grant && `grant:${grant}`].filter((end) => end !== undefined);
    for (const end of ends) if (yield* isBuried(end)) throw new AppError('unauthenticated', { message, headers });
  };
