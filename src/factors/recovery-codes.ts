/**
 * Recovery codes for the day on which a factor is lost: ten of 80 bits, shown once, of which only keyed hashes stay.
 * Each works once; new ones replace all the old.
 */
import { randomBytes } from 'node:crypto';
import type { Keyring } from '../keyring/keyring.ts';
import { type Asking, type ChangeFactors, Unchanged } from './changes.ts';
import type { Factor, FactorSource } from './factors.ts';
import type { RecoveryCodeStore } from './recovery-code-store.ts';
import type { FactorTries, Prover, Verdict } from './tries.ts';

const CODES = 10;
const BYTES = 10;
/** Base32 of Crockford's: without letters that look like a figure or like each other. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export interface RecoveryCodesOptions {
  store: RecoveryCodeStore;
  keyring: Pick<Keyring, 'mac'>;
  change: ChangeFactors;
  tried: FactorTries;
}

export function createRecoveryCodes({ store, keyring, change, tried }: RecoveryCodesOptions) {
  const macOf = (accountId: string, code: string) => keyring.mac('recovery', `${accountId}|${code}`);

  const source: FactorSource = {
    kind: 'recovery',
    async of(accountId) {
      const count = await store.count(accountId);
      if (!count || count.left === 0) return [];
      const { createdAt, lastUsedAt, left, total } = count;
      const factor: Factor = { id: 'recovery', kind: 'recovery', name: null, createdAt, lastUsedAt, details: {} };
      return [{ ...factor, details: { left, total } }];
    },
    clear: store.clear,
  };

  return {
    source,

    /** How many are left of how many; undefined where none were ever made. */
    count: store.count,

    /** None were made since the account has factors: they are to be shown. */
    lacking: async (accountId: string): Promise<boolean> => (await store.count(accountId)) === undefined,

    /** New ones, which nobody can be shown again. The person is told by mail when they replace others. */
    async create(accountId: string, asking: Asking): Promise<string[]> {
      const codes = Array.from({ length: CODES }, newCode);
      const macs = codes.map((code) => macOf(accountId, code));
      await change(accountId, { what: 'codes', details: {}, ends: false }, asking, function* () {
        return { mail: yield* store.replace(accountId, macs) };
      });
      return codes.map(grouped);
    },

    /** Uses one up. The person is told by mail. @throws AppError too_many_attempts. */
    prove: (prover: Prover, typed: string): Promise<Verdict> =>
      tried('recovery', prover, async () => {
        const { accountId, by } = prover;
        const mac = macOf(accountId, plain(typed));
        const details = { kind: 'recovery' };
        const used = await change(accountId, { what: 'used', details, ends: false }, { by }, function* () {
          if (!(yield* store.use(accountId, mac))) throw new Unchanged();
          return { mail: true, left: (yield* store.countNow(accountId))?.left ?? 0 };
        });
        if (used) return 'right';
        return (await store.known(accountId, [mac])) > 0 ? 'used' : 'wrong';
      }),

    /** Whether these are the account's codes, whole and in no other words: what may be handed back as a file. */
    async areOf(accountId: string, codes: string[]): Promise<boolean> {
      if (codes.length !== CODES || new Set(codes).size !== CODES) return false;
      if (!codes.every((code) => code === grouped(plain(code)))) return false;
      const macs = codes.map((code) => macOf(accountId, plain(code)));
      return (await store.known(accountId, macs)) === CODES;
    },
  };
}

export type RecoveryCodes = ReturnType<typeof createRecoveryCodes>;

function newCode(): string {
  const bits = [...randomBytes(BYTES)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return [...bits.matchAll(/.{5}/g)].map(([five]) => ALPHABET[Number.parseInt(five, 2)]).join('');
}

const grouped = (code: string) => code.match(/.{1,4}/g)?.join('-') ?? '';

/** As it was made, however it was typed: letters of either case, with or without groups, O for 0, I and L for 1. */
function plain(typed: string): string {
  const letters = typed
    .normalize('NFKC')
    .replaceAll(/[\s\p{Pd}.]/gu, '')
    .toUpperCase();
  return letters.replaceAll('O', '0').replaceAll(/[IL]/g, '1');
}
