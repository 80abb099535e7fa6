/**
 * Passkeys of an account: list and add; names and ends are those of every factor (factors.ts). Signing in with one is in
 * passkey-sign-in.ts.
 */
import { randomBytes } from 'node:crypto';
import { UniqueViolation } from '../db/database.ts';
import { AppError } from '../errors.ts';
import type { Method } from './assurance.ts';
import { authenticatorName } from './authenticators.ts';
import type { Asking, ChangeFactors } from './changes.ts';
import type { Factor, FactorSource } from './factors.ts';
import { factorName } from './names.ts';
import { type Ceremonies, CeremonyRefused } from './passkey-ceremony.ts';
import type { RegistrationResponse } from './passkey-response.ts';
import type { Passkey, PasskeyStore } from './passkey-store.ts';

/** Enough for every device that somebody has; the list goes to each of them at a ceremony. */
const MOST = 25;
const OFFER_PAUSE_MS = 30 * 86_400_000;

/** Whom a passkey belongs to, as account pickers show it. */
export interface Owner {
  id: string;
  email: string;
  profile: { name: string | null };
}

export interface PasskeysOptions {
  store: PasskeyStore;
  ceremonies: Ceremonies;
  /** False where browsers know no passkeys: at an issuer whose host is an IP address. */
  possible: boolean;
  change: ChangeFactors;
  /** Whether the account has a factor of any kind. */
  hasFactor(accountId: string): Promise<boolean>;
}

export interface Added {
  passkey: Passkey;
  /** What making it proved: somebody was there, and was known to the device. */
  methods: Method[];
}

export function createPasskeys({ store, ceremonies, possible, change, hasFactor }: PasskeysOptions) {
  const source: FactorSource = {
    kind: 'passkey',
    of: async (id) => (await store.ofAccount(id)).map(factorOf),
    clear: store.clear,
    rename: store.rename,
    drop: store.drop,
  };

  return {
    source,
    of: store.ofAccount,
    possible,

    /** @param bound whose ceremony it is: `flow:UID` or `session:UID`. @throws AppError conflict for too many, and where
     * there are none. */
    async addOptions(owner: Owner, bound: string) {
      if (!possible) throw impossible();
      const existing = await store.ofAccount(owner.id);
      if (existing.length >= MOST) throw tooMany();
      const user = { handle: await store.handle(owner.id), email: owner.email, name: owner.profile.name };
      return ceremonies.registrationOptions({ purpose: 'add', bound, accountId: owner.id }, user, existing);
    },

    /** @throws AppError invalid_request with a field's code for whatever is wrong with the answer. */
    async add(
      owner: Pick<Owner, 'id'>,
      response: RegistrationResponse,
      { bound, name = '', ...asking }: Asking & { bound: string; name?: string | undefined },
    ): Promise<Added> {
      const accountId = owner.id;
      const given = factorName(name);
      const made = await ceremonies.register(response, { purpose: 'add', bound, accountId }).catch(notAdded);
      const called = given ?? authenticatorName(made.aaguid) ?? asking.by.device;
      const id = `passkey_${randomBytes(12).toString('base64url')}`;
      const passkey = { id, accountId, ...made, name: called, createdAt: Date.now(), lastUsedAt: null };
      const first = !(await hasFactor(accountId));
      const details = { kind: 'passkey', factor: id, synced: made.backupEligible };
      try {
        await change(accountId, { what: 'added', details, ends: first }, asking, function* () {
          yield* store.insert(passkey);
          return { mail: true, name: called };
        });
      } catch (error) {
        if (error instanceof UniqueViolation) return notAdded(error);
        throw error;
      }
      return { passkey, methods: methodsOf(passkey, true) };
    },

    /** Whether this is the moment to offer one: to somebody without, and at most once in thirty days. */
    async wantsOffer(accountId: string): Promise<boolean> {
      if (!possible) return false;
      const [at, passkeys] = await Promise.all([store.offerAt(accountId), store.ofAccount(accountId)]);
      return passkeys.length === 0 && at <= Date.now();
    },

    offered: (accountId: string) => store.offerAgain(accountId, Date.now() + OFFER_PAUSE_MS),
    neverOffer: (accountId: string) => store.offerAgain(accountId, undefined),
  };
}

export type Passkeys = ReturnType<typeof createPasskeys>;

/** RFC 8176 values. The key of one that may be copied to other devices is held by software. */
export function methodsOf({ backupEligible }: Pick<Passkey, 'backupEligible'>, userVerified: boolean): Method[] {
  return ['pop', backupEligible ? 'swk' : 'hwk', 'user', ...(userVerified ? (['mfa'] as const) : [])];
}

function factorOf(passkey: Passkey): Factor {
  const { id, name, createdAt, lastUsedAt, aaguid, backupEligible, backedUp, transports } = passkey;
  const details = {
    authenticator: authenticatorName(aaguid) ?? null,
    synced: backupEligible,
    backed_up: backedUp,
    transports: transports.join(' '),
  };
  return { id, kind: 'passkey', name: name || null, createdAt, lastUsedAt, details };
}

/** Whatever was wrong: who made a ceremony by hand learns nothing from the difference. */
function notAdded(error: unknown): never {
  if (!(error instanceof CeremonyRefused) && !(error instanceof UniqueViolation)) throw error;
  throw new AppError('invalid_request', {
    message: 'The passkey was not added: its answer is not one that was asked for here, or it came too late.',
    fields: [{ field: '', code: 'passkey_not_added' }],
    cause: error,
  });
}

/** WebAuthn section 5.1.2: a relying party is a domain. */
function impossible(): AppError {
  return new AppError('conflict', {
    message: 'The host of this issuer is an IP address, for which browsers make no passkeys.',
    fields: [{ field: '', code: 'passkeys_impossible' }],
  });
}

function tooMany(): AppError {
  return new AppError('conflict', {
    message: `An account has at most ${MOST} passkeys. Remove one that is not used any more.`,
    fields: [{ field: '', code: 'passkeys_too_many', values: { max: MOST } }],
  });
}
