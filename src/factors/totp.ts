/**
 * One-time codes of authenticator apps (RFC 6238): set up by a secret that the person carries over and proves by a code
 * before it counts; then each time step is accepted once, the newest so far is remembered and never goes back.
 */
import { Secret, TOTP } from 'otpauth';
import { newIdentifier } from '../artifacts/identifier.ts';
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { type Asking, type ChangeFactors, Unchanged } from './changes.ts';
import type { Factor, FactorSource } from './factors.ts';
import { factorName } from './names.ts';
import type { SetupRow, TotpStore } from './totp-store.ts';
import type { FactorTries, Prover, Verdict } from './tries.ts';

const PERIOD_S = 30;
const DIGITS = 6;
/** Steps before and after the present one: clocks differ, and typing takes time (RFC 6238 section 5.2). */
const DRIFT = 1;
/** RFC 4226 section 4, R6. */
const SECRET_BYTES = 20;
const SETUP_MS = 15 * 60_000;
const MOST = 10;

export interface TotpOptions {
  db: Database;
  store: TotpStore;
  keyring: Keyring;
  audit: Pick<Recorder, 'record'>;
  change: ChangeFactors;
  tried: FactorTries;
  /** As the app shows it above the code. */
  serviceName: string;
  /** Whether the account has any factor. */
  hasFactor(accountId: string): Promise<boolean>;
}

/** What the person's app needs. `secret` is base32 (RFC 4648), `uri` the same with the names. */
export interface Setup {
  id: string;
  secret: string;
  uri: string;
  expiresAt: number;
}

/** Which set-up: of the sign-in or session that holds it, or the one that a call was given. */
export type Which = { holder: string } | { id: string };

export function createTotp({ db, store, keyring, audit, change, tried, serviceName, hasFactor }: TotpOptions) {
  /** A sealed secret opens in its own row only. */
  const context = (accountId: string, id: string) => `totp|${accountId}|${id}`;

  function codesOf(row: { id: string; account_id: string; secret: string }, label = ''): TOTP {
    const secret = new Secret({ buffer: toBuffer(keyring.open('totp', row.secret, context(row.account_id, row.id))) });
    return new TOTP({ issuer: serviceName, label, secret, digits: DIGITS, period: PERIOD_S, algorithm: 'SHA1' });
  }

  function setupOf(row: SetupRow, label: string): Setup {
    const codes = codesOf(row, label);
    return { id: row.id, secret: codes.secret.base32, uri: codes.toString(), expiresAt: row.expires_at };
  }

  const source: FactorSource = {
    kind: 'totp',
    async of(accountId) {
      const rows = await store.ofAccount(accountId);
      return rows.map(
        ({ id, name, created_at, last_used_at }): Factor => ({
          ...{ id, kind: 'totp', name, details: {} },
          ...{ createdAt: created_at, lastUsedAt: last_used_at },
        }),
      );
    },
    clear: store.clear,
    rename: store.rename,
    drop: store.drop,
  };

  return {
    source,

    /** The set-up of this holder, or a new one; nobody but the holder is shown its secret. Without a holder it is known
     * by its id only. `label` is the address. */
    async begin({ accountId, label, holder }: { accountId: string; label: string; holder?: string }): Promise<Setup> {
      const present = holder && (await store.setup(accountId, holder));
      if (present) return setupOf(present, label);
      if ((await store.ofAccount(accountId)).length >= MOST) {
        const message = `An account has at most ${MOST} authenticator apps. Remove one that is not used any more.`;
        throw new AppError('conflict', { message, fields: [{ field: '', code: 'too_many_factors' }] });
      }
      const id = `totp_${newIdentifier().slice(0, 40)}`;
      const secret = Buffer.from(new Secret({ size: SECRET_BYTES }).bytes);
      const sealed = keyring.seal('totp', secret, context(accountId, id));
      const row = {
        id,
        account_id: accountId,
        holder: holder ?? id,
        secret: sealed,
        expires_at: Date.now() + SETUP_MS,
      };
      return setupOf(await store.putSetup(row), label);
    },

    /** A code proves that the app has the secret: from now on it is asked for, and that code is used up.
     * @throws AppError invalid_code; code_expired when the set-up has; invalid_request for the name. */
    async confirm(
      { accountId, code, name, ...which }: { accountId: string; code: string; name: string } & Which,
      asking: Asking,
    ): Promise<string> {
      const clean = factorName(name);
      const row = await ('holder' in which
        ? store.setup(accountId, which.holder)
        : store.setupById(accountId, which.id));
      if (!row) throw expired();
      const step = stepOf(codesOf(row), code);
      if (step === undefined) {
        const fields = [{ field: 'code', code: 'totp_wrong_first' }];
        throw new AppError('invalid_code', { message: 'The app shows another code for this secret.', fields });
      }
      const totp = { id: row.id, account_id: accountId, name: clean, secret: row.secret, last_step: step };
      const first = !(await hasFactor(accountId));
      const details = { kind: 'totp' };
      const added = await change(accountId, { what: 'added', details, ends: first }, asking, function* () {
        if (!(yield* store.endSetup(row.id))) throw new Unchanged();
        yield* store.insert({ ...totp, created_at: Date.now(), last_used_at: null });
        return { mail: true, name: clean };
      });
      if (!added) throw expired();
      return row.id;
    },

    /** @throws AppError too_many_attempts. */
    prove: (prover: Prover, code: string): Promise<Verdict> =>
      tried('totp', prover, async () => {
        const { accountId, by } = prover;
        let verdict: Verdict = 'wrong';
        for (const row of await store.ofAccount(accountId)) {
          const step = stepOf(codesOf(row), code);
          if (step === undefined) continue;
          if (step > row.last_step && (await accept(accountId, row.id, step, by))) return 'right';
          verdict = 'used';
        }
        return verdict;
      }),

    purge: store.purge,
  };

  function accept(accountId: string, id: string, step: number, by: Origin): Promise<boolean> {
    return db.write(function* () {
      if (!(yield* store.advance(id, step))) return false;
      yield* audit.record({ type: 'factor.proved', account: accountId, by, details: { kind: 'totp' } });
      return true;
    });
  }
}

export type Totp = ReturnType<typeof createTotp>;

/** The time step that the code belongs to, of those near the present one; all are compared whatever matches. */
function stepOf(codes: TOTP, typed: string): number | undefined {
  const code = typed.normalize('NFKC').replaceAll(/[\s-]/g, '');
  if (!/^[0-9]{6}$/.test(code)) return undefined;
  const timestamp = Date.now();
  const delta = codes.validate({ token: code, timestamp, window: DRIFT });
  return delta === null ? undefined : Math.floor(timestamp / 1000 / PERIOD_S) + delta;
}

/** A copy of its own: a small Buffer is a view of a larger piece of memory. */
function toBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function expired(): AppError {
  const fields = [{ field: '', code: 'setup_expired' }];
  return new AppError('code_expired', { message: 'This set-up has expired or is finished. Begin again.', fields });
}
