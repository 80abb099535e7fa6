/**
 * What every change of factors does besides the change: it is recorded, the person is told by mail, and sessions that
 * were begun under other rules end. All of it is one unit of work with the change itself.
 */
import type { Recorder } from '../audit/audit.ts';
import type { EventType, NewEvent, Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import type { Outbox } from '../jobs/outbox.ts';

/** What stays when all else ends: a browser session, an app by its grant, or a sign-in under way by its flow. */
export interface Kept {
  session?: string | undefined;
  grant?: string | undefined;
  flow?: string | undefined;
}

/** Who changes it, and from where: that one stays signed in. */
export interface Asking {
  by: Origin;
  kept?: Kept | undefined;
}

const EVENTS = {
  added: 'factor.added',
  removed: 'factor.removed',
  codes: 'recovery_codes.created',
  used: 'factor.proved',
  reset: 'factors.reset',
} as const satisfies Record<string, EventType>;

export interface Change {
  what: keyof typeof EVENTS;
  details: NonNullable<NewEvent['details']> & { kind?: string };
  /** Whether all other sessions end. */
  ends: boolean;
}

export interface FactorChangesOptions {
  db: Database;
  audit: Pick<Recorder, 'record'>;
  outbox: Pick<Outbox, 'enqueue' | 'wake'>;
  /** Steps that end every session of an account but what is kept, as `requireHeld` where that ended before. */
  endSessions(accountId: string, cause: { reason: 'factors_changed'; by: Origin }, kept?: Kept): Steps<unknown>;
  /** Steps. @throws AppError unauthenticated, interaction_expired where what is kept has ended. */
  requireHeld(accountId: string, kept?: Kept): Steps<void>;
  /** Where mail for the account goes. */
  recipient(accountId: string): Promise<{ to: string; locale: string | null } | undefined>;
}

/** Thrown by the work of a change that finds nothing to change: nothing is recorded then. */
export class Unchanged extends Error {}

export function createFactorChanges(options: FactorChangesOptions) {
  const { db, audit, outbox, endSessions, requireHeld, recipient } = options;
  /** Does `work`, which yields what the mail says besides, with all that goes with it. False where it was `Unchanged`. */
  return async function change(
    accountId: string,
    { what, details, ends }: Change,
    { by, kept }: Asking,
    work: () => Steps<{ mail: boolean; name?: string | null; left?: number }>,
  ): Promise<boolean> {
    const person = await recipient(accountId);
    try {
      await db.write(function* () {
        const { mail, name = null, left = 0 } = yield* work();
        if (ends) yield* endSessions(accountId, { reason: 'factors_changed', by }, kept);
        else yield* requireHeld(accountId, kept);
        yield* audit.record({ type: EVENTS[what], account: accountId, by, details });
        if (!mail || !person) return;
        const when = new Date().toISOString();
        const data = { change: what, kind: details.kind ?? null, name, left, when, ip: by.ip, device: by.device };
        yield* outbox.enqueue('mail', { template: 'factor-changed', ...person, data });
      });
    } catch (error) {
      if (error instanceof Unchanged) return false;
      throw error;
    }
    outbox.wake();
    return true;
  };
}

export type ChangeFactors = ReturnType<typeof createFactorChanges>;
