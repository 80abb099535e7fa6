/** How an account that strangers guess at stands in the record. An address of nobody does, too, by its keyed hash. */
import type { Recorder } from '../audit/audit.ts';
import { SYSTEM } from '../audit/events.ts';
import type { Steps } from '../db/statement.ts';
import type { Slowed } from '../limits/account-attempts.ts';
import type { Account } from './store.ts';

export interface SlowedOptions {
  audit: Pick<Recorder, 'record' | 'pseudonym'>;
  accountOf(canonical: string): Steps<Account | undefined>;
}

export function slowedEvents({ audit, accountOf }: SlowedOptions) {
  return function* slowed({ account, kind, how, source }: Slowed): Steps<void> {
    const known = yield* accountOf(account);
    const details = { kind, how, address: audit.pseudonym(account) };
    const by = { ...SYSTEM, ip: source };
    yield* audit.record({ type: 'account.slowed', outcome: 'failure', account: known?.id, by, details });
  };
}
