/**
 * What protects an account beyond its password, whatever the kind: one list for pages, API and command line, and the
 * question whether a sign-in has to ask. Each kind has a part of its own, which is handed in.
 */

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
}

export function createFactors({ sources }: { sources: FactorSource[] }) {
  async function of(accountId: string): Promise<Factor[]> {
    return (await Promise.all(sources.map((source) => source.of(accountId)))).flat();
  }

  /** Kinds that can be asked for, the strongest first. Recovery codes replace an authenticator, they are none. */
  async function kindsOf(accountId: string): Promise<FactorKind[]> {
    const present = new Set((await of(accountId)).map(({ kind }) => kind));
    const kinds = (['passkey', 'totp', 'recovery'] as const).filter((kind) => present.has(kind));
    return kinds.some((kind) => kind !== 'recovery') ? kinds : [];
  }

  return { of, kindsOf };
}

export type Factors = ReturnType<typeof createFactors>;
