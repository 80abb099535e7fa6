/** Rows of the keys that sign tokens; the private halves are sealed. */
import type { JWK } from 'oidc-provider';
import type { Database } from '../db/database.ts';
import { all, run } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';

export type SigningAlg = 'RS256' | 'ES256' | 'EdDSA';

export interface SigningKey {
  kid: string;
  alg: SigningAlg;
  state: 'next' | 'active' | 'retired';
  privateJwk: JWK;
  createdAt: number;
}

interface Row {
  kid: string;
  alg: SigningAlg;
  state: SigningKey['state'];
  private_jwk: string;
  created_at: number;
}

export function createKeyStore({ db, keyring }: { db: Database; keyring: Keyring }) {
  const context = (kid: string) => `signing_keys|private_jwk|${kid}`;

  return {
    async all(): Promise<SigningKey[]> {
      const rows = await db.all<Row>('SELECT * FROM signing_keys ORDER BY created_at DESC, kid');
      return rows.map((row) => ({
        kid: row.kid,
        alg: row.alg,
        state: row.state,
        privateJwk: keyring.openJson<JWK>('signing', row.private_jwk, context(row.kid)),
        createdAt: row.created_at,
      }));
    },

    /** Adds an active key for its algorithm unless another process was first. */
    async addFirst(alg: SigningAlg, kid: string, publicJwk: JWK, privateJwk: JWK): Promise<void> {
      await db.write(function* () {
        const present = yield* all('SELECT kid FROM signing_keys WHERE alg = ?', alg);
        if (present.length > 0) return;
        yield* run(
          `INSERT INTO signing_keys (kid, alg, state, public_jwk, private_jwk, created_at, activated_at)
           VALUES (?, ?, 'active', ?, ?, ?, ?)`,
          kid,
          alg,
          JSON.stringify(publicJwk),
          keyring.sealJson('signing', privateJwk, context(kid)),
          Date.now(),
          Date.now(),
        );
      });
    },
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
