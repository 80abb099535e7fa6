/** Rows of the keys that sign tokens; the private halves are sealed. Every change is a compare-and-swap. */
import type { JWK } from 'oidc-provider';
import { type Database, UniqueViolation } from '../db/database.ts';
import { all, run, type Steps } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { KeyFacts } from './key-states.ts';
import type { NewKey, SigningAlg } from './new-key.ts';

export interface SigningKey extends KeyFacts {
  publicJwk: JWK;
  privateJwk: JWK;
}

interface Row {
  kid: string;
  alg: SigningAlg;
  state: KeyFacts['state'];
  public_jwk: string;
  private_jwk: string;
  created_at: number;
  activated_at: number | null;
  retired_at: number | null;
  token_life: number | null;
}

const NOTE = 'UPDATE signing_keys SET token_life = ? WHERE kid = ? AND (token_life IS NULL OR token_life < ?)';

/** By their `kid`. */
export interface Pair {
  active: string;
  next: string;
}

/** Somebody else has changed the keys meanwhile. */
class Lost extends Error {}

export function createKeyStore({ db, keyring }: { db: Database; keyring: Keyring }) {
  const context = (kid: string) => `signing_keys|private_jwk|${kid}`;

  function* insert({ kid, alg, publicJwk, privateJwk }: NewKey, state: 'next' | 'active', now: number): Steps<void> {
    yield* run(
      `INSERT INTO signing_keys (kid, alg, state, public_jwk, private_jwk, created_at, activated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      kid,
      alg,
      state,
      JSON.stringify(publicJwk),
      keyring.sealJson('signing', privateJwk, context(kid)),
      now,
      state === 'active' ? now : null,
    );
  }

  /** False when another process was first; then nothing was changed. */
  async function swap(body: () => Steps<void>): Promise<boolean> {
    try {
      await db.write(body);
      return true;
    } catch (error) {
      if (error instanceof Lost || error instanceof UniqueViolation) return false;
      throw error;
    }
  }

  return {
    /** Without the keys themselves: cheap, for looking often. */
    async facts(): Promise<KeyFacts[]> {
      const rows = await db.all<Row>(
        'SELECT kid, alg, state, created_at, activated_at, retired_at, token_life FROM signing_keys',
      );
      return rows.map(factsOf);
    },

    /** Noted of those that sign, before any of them does: `tokenLife`, unless it was longer before. */
    async all(tokenLife: number): Promise<SigningKey[]> {
      const rows = await db.all<Row>('SELECT * FROM signing_keys');
      for (const row of rows.filter(({ state, token_life }) => state === 'active' && (token_life ?? 0) < tokenLife)) {
        await db.run(NOTE, tokenLife, row.kid, tokenLife);
        row.token_life = tokenLife;
      }
      return rows.map((row) => ({
        ...factsOf(row),
        publicJwk: JSON.parse(row.public_jwk),
        privateJwk: keyring.openJson<JWK>('signing', row.private_jwk, context(row.kid)),
      }));
    },

    /** Adds the first key of its algorithm, which signs at once; or the next one. */
    add: (key: NewKey, state: 'next' | 'active') =>
      swap(function* () {
        const there = yield* all<Row>('SELECT kid FROM signing_keys WHERE alg = ? AND state = ?', key.alg, state);
        if (there.length > 0) throw new Lost();
        yield* insert(key, state, Date.now());
      }),

    /** Of each pair the next key signs from now on, the active one no longer; `record` is of the same unit of work. */
    activate: (pairs: Pair[], record: () => Steps<void>) =>
      swap(function* () {
        const now = Date.now();
        for (const { active, next } of pairs) {
          const retired = yield* run(
            "UPDATE signing_keys SET state = 'retired', retired_at = ? WHERE kid = ? AND state = 'active'",
            now,
            active,
          );
          const activated = yield* run(
            "UPDATE signing_keys SET state = 'active', activated_at = ? WHERE kid = ? AND state = 'next'",
            now,
            next,
          );
          if (retired === 0 || activated === 0) throw new Lost();
        }
        yield* record();
      }),

    /** These are the next keys of their algorithms, in place of those that were, which have signed nothing. */
    announce: (keys: NewKey[]) =>
      swap(function* () {
        for (const key of keys) {
          yield* run("DELETE FROM signing_keys WHERE alg = ? AND state = 'next'", key.alg);
          yield* insert(key, 'next', Date.now());
        }
      }),

    /** Those of them that have not become more than the next. */
    async withdraw(keys: NewKey[]): Promise<void> {
      for (const { kid } of keys) await db.run("DELETE FROM signing_keys WHERE kid = ? AND state = 'next'", kid);
    },

    /** @param kid of a retired key. */
    async destroy(kid: string): Promise<void> {
      await db.run("DELETE FROM signing_keys WHERE kid = ? AND state = 'retired'", kid);
    },
  };
}

function factsOf(row: Row): KeyFacts {
  return {
    kid: row.kid,
    alg: row.alg,
    state: row.state,
    createdAt: row.created_at,
    activatedAt: row.activated_at,
    retiredAt: row.retired_at,
    tokenLife: row.token_life,
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
