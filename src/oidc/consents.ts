/** What people allowed other people's applications, remembered beyond a session, each answer with its record. */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { ConsentStore } from './consent-store.ts';
import type { Allowed } from './grants.ts';

export interface ConsentsOptions {
  db: Database;
  store: ConsentStore;
  audit: Pick<Recorder, 'record' | 'note'>;
}

export function createConsents({ db, store, audit }: ConsentsOptions) {
  return {
    find: store.find,
    ofAccount: store.ofAccount,

    async remember(accountId: string, clientId: string, allowed: Allowed, by: Origin): Promise<void> {
      const scopes = [...allowed.scopes, ...Object.values(allowed.resources).flat()];
      await db.write(function* () {
        yield* store.remember(accountId, clientId, allowed);
        yield* audit.record({ type: 'consent.granted', account: accountId, client: clientId, by, details: { scopes } });
      });
    },

    refused: (accountId: string | undefined, clientId: string | undefined, by: Origin): Promise<void> =>
      audit.note({ type: 'consent.refused', outcome: 'failure', account: accountId, client: clientId, by }),
  };
}

export type Consents = ReturnType<typeof createConsents>;
