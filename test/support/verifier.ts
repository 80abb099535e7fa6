/** An API that checks signatures as the standards allow it: it keeps the key set for its max-age, and never asks again
 * because it meets a key that it doesn't know. */
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';

interface PublicKey extends JsonWebKey {
  kid: string;
  alg: string;
}

const DIGESTS: Record<string, string | null> = { RS256: 'sha256', ES256: 'sha256', EdDSA: null };

export function createVerifier(origin: string) {
  let keys: Promise<PublicKey[]> | undefined;
  let staleAt = 0;

  async function fetched(): Promise<PublicKey[]> {
    const asked = Date.now();
    const response = await fetch(`${origin}/.well-known/jwks.json`);
    const seconds = Number(/max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1]);
    staleAt = asked + seconds * 1000;
    return ((await response.json()) as { keys: PublicKey[] }).keys;
  }

  /** The id of the key that signed it. @throws Error for a token that can't be verified with what is cached now. */
  return async (token: string): Promise<string> => {
    if (!keys || Date.now() >= staleAt) {
      staleAt = Number.POSITIVE_INFINITY;
      keys = fetched();
    }
    const [header = '', payload = '', signature = ''] = token.split('.');
    const { kid, alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const key = (await keys).find((each) => each.kid === kid && each.alg === alg);
    if (!key) throw new Error(`the key ${kid} is not among those that are cached`);
    const options = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const;
    const good = verify(
      DIGESTS[alg] ?? null,
      Buffer.from(`${header}.${payload}`),
      options,
      Buffer.from(signature, 'base64url'),
    );
    if (!good) throw new Error(`the signature by ${kid} is wrong`);
    return kid;
  };
}
