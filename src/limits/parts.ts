/** The limits put together: what counts, what is known of who asks, and what the operator says of addresses. */
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { Recorder } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { type AccountAttemptsOptions, createAccountAttempts } from './account-attempts.ts';
import { createAddressRules } from './address-rules.ts';
import { createFamiliarSources } from './familiar-sources.ts';
import { createKnownDevices } from './known-devices.ts';
import { createMailBudget, type MailBudgetOptions } from './mail-budget.ts';
import { createPolls } from './poll-store.ts';
import { createRefusals, type RefusalsOptions } from './refusals.ts';
import { createRequestWindows } from './request-windows.ts';
import { createSqlWindows } from './window-store.ts';

const MINUTE_MS = 60_000;

export interface LimitsOptions
  extends Pick<AccountAttemptsOptions, 'onSlowed'>,
    Pick<RefusalsOptions, 'accountOf' | 'onAlarm'> {
  db: Database;
  keyring: Pick<Keyring, 'mac'>;
  audit: Pick<Recorder, 'record' | 'pseudonym'>;
  artifacts: Artifacts;
  secureCookies: boolean;
  rules: { failures: AccountAttemptsOptions['rules']; mails: MailBudgetOptions['rules'] };
  /** A guess was refused. */
  onRefused(limit: 'account' | 'guesses'): void;
  /** The rules for addresses could not be read. */
  onError(error: unknown): void;
  /** A refusal could not be recorded. */
  onUnrecorded(error: unknown): void;
}

export function createLimits(options: LimitsOptions) {
  const { db, keyring, artifacts, rules } = options;
  const addresses = createAddressRules(options);
  const windows = createSqlWindows(db);
  const refusals = createRefusals({ ...options, onError: options.onUnrecorded });
  return {
    addresses,
    refusals,
    windows,
    polls: createPolls(db),
    requestWindows: createRequestWindows({ sql: windows, artifacts }),
    devices: createKnownDevices(options),
    familiar: createFamiliarSources({ windows, keyring }),
    attempts: createAccountAttempts({
      ...options,
      rules: rules.failures,
      isAllowed: addresses.isAllowed,
      onRefused(limit, { source: ip }) {
        options.onRefused(limit);
        // That an account is slowed is an event of its own (`onSlowed`).
        if (limit === 'guesses') refusals.note({ limit, durationMs: MINUTE_MS, by: { ip } });
      },
    }),
    mails: createMailBudget({ keyring, rules: rules.mails }),
  };
}
