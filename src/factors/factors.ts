/**
 * What protects an account beyond its password, whatever the kind: one list for pages, API and command line, the
 * question whether a sign-in has to ask, and the ways in which a factor goes. Each kind has a part of its own, which is
 * handed in.
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { type Asking, type ChangeFactors, Unchanged } from './changes.ts';
import { factorName } from './names.ts';

export type FactorKind = 'passkey' | 'totp' | 'recovery';

/** A factor as its owner sees it. Times are milliseconds since 1970. */
export interface Factor {
  id: string;
  kind: FactorKind;
  /** What the person calls it. */
  name: string | null;
  createdAt: number;
  lastUsedAt: number | null;
  /** What else there is to say of its kind; never a secret. */
  details: Record<string, string | number | boolean | null>;
}

export interface FactorSource {
  kind: FactorKind;
  /** Those that count: proved once by their owner, and not used up. */
  of(accountId: string): Promise<Factor[]>;
  /** Steps: everything of this kind goes. Yields how many factors that were. */
  clear(accountId: string): Steps<number>;
  /** Steps that change one factor of this account; false where there is no such. Kinds without have one set only. */
  rename?(accountId: string, id: string, name: string | null): Steps<boolean>;
  drop?(accountId: string, id: string): Steps<boolean>;
}

export interface FactorsOptions {
  db: Database;
  audit: Pick<Recorder, 'record'>;
  sources: FactorSource[];
  change: ChangeFactors;
  /** Refuses while nothing may be taken from the account. */
  requireSettled(accountId: string): Promise<void>;
}

const ALL_KINDS: FactorKind[] = ['passkey', 'totp', 'recovery'];

const isFactor = ({ kind }: { kind: FactorKind }) => kind !== 'recovery';
const isReserve = (each: { kind: FactorKind }) => !isFactor(each);

export function createFactors({ db, audit, sources, change, requireSettled }: FactorsOptions) {
  const fromEach = async (some: FactorSource[], accountId: string): Promise<Factor[]> =>
    (await Promise.all(some.map((source) => source.of(accountId)))).flat();

  const of = (accountId: string): Promise<Factor[]> => fromEach(sources, accountId);

  /** Kinds that can be asked for, the strongest first. Recovery codes replace an authenticator, they are none. */
  async function kindsOf(accountId: string): Promise<FactorKind[]> {
    const found = await fromEach(sources.filter(isFactor), accountId);
    if (found.length === 0) return [];
    const present = new Set(
      [...found, ...(await fromEach(sources.filter(isReserve), accountId))].map(({ kind }) => kind),
    );
    return (['passkey', 'totp', 'recovery'] as const).filter((kind) => present.has(kind));
  }

  /** @throws AppError not_found, also for somebody else's id. */
  async function owned(accountId: string, id: string) {
    const all = await of(accountId);
    const factor = all.find((each) => each.id === id);
    const source = factor && sources.find(({ kind }) => kind === factor.kind);
    if (!factor || !source?.rename || !source.drop) throw notFound();
    return { factor, rename: source.rename, drop: source.drop, others: all.filter((each) => each.id !== id) };
  }

  function* clear(accountId: string, kinds: FactorKind[]): Steps<number> {
    let gone = 0;
    for (const source of sources) {
      if (!kinds.includes(source.kind)) continue;
      const count = yield* source.clear(accountId);
      if (isFactor(source)) gone += count;
    }
    return gone;
  }

  return {
    of,
    kindsOf,

    /** Steps: everything goes. */
    clearAll: (accountId: string): Steps<number> => clear(accountId, ALL_KINDS),

    /** @throws AppError not_found; invalid_request for a name that is none. */
    async rename(accountId: string, id: string, name: string, by: Origin): Promise<void> {
      const { factor, rename } = await owned(accountId, id);
      const clean = factorName(name);
      await db.write(function* () {
        if (!(yield* rename(accountId, id, clean))) throw notFound();
        yield* audit.record({ type: 'factor.renamed', account: accountId, by, details: { kind: factor.kind } });
      });
    },

    /** Recovery codes go with the last factor. Ends the other sessions and tells the person.
     * @throws AppError not_found, conflict. */
    async remove(accountId: string, id: string, asking: Asking): Promise<void> {
      const { factor, drop, others } = await owned(accountId, id);
      await requireSettled(accountId);
      const details = { kind: factor.kind };
      const removed = await change(accountId, { what: 'removed', details, ends: true }, asking, function* () {
        if (!(yield* drop(accountId, id))) throw new Unchanged();
        if (!others.some(isFactor)) yield* clear(accountId, ['recovery']);
        return { mail: true, name: factor.name };
      });
      if (!removed) throw notFound();
    },

    /** By an operator: all factors, or those of one kind. Resolves with how many went, null when there was nothing;
     * else every session ends and the person is told. */
    async reset(accountId: string, kind: FactorKind | undefined, by: Origin): Promise<number | null> {
      const before = await of(accountId);
      const kinds = kind ? [kind] : [...ALL_KINDS];
      if (!before.some((each) => kinds.includes(each.kind))) return null;
      if (!before.some((each) => isFactor(each) && !kinds.includes(each.kind))) kinds.push('recovery');
      let gone = 0;
      const details = { kinds: [...new Set(kinds)].sort() };
      await change(accountId, { what: 'reset', details, ends: true }, { by }, function* () {
        gone = yield* clear(accountId, kinds);
        return { mail: true };
      });
      return gone;
    },
  };
}

export type Factors = ReturnType<typeof createFactors>;

function notFound(): AppError {
  return new AppError('not_found', { message: 'There is no such factor.' });
}
