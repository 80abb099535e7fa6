/** The keys that sign tokens: one of each offered algorithm exists from the first start, per installation. */
import { createHash, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'oidc-provider';
import type { KeyStore, SigningAlg } from './key-store.ts';

const generate = promisify(generateKeyPair);

/** In the order of the JWKS: the first key of an algorithm signs. */
export const SIGNING_ALGS: readonly SigningAlg[] = ['RS256', 'ES256', 'EdDSA'];

/** @returns private JWKs (RFC 7517) for the protocol core, RS256 first; made and stored at the first call. */
export async function loadSigningKeys(store: KeyStore): Promise<{ keys: JWK[] }> {
  let stored = await store.all();
  const missing = SIGNING_ALGS.filter((alg) => !stored.some((key) => key.alg === alg && key.state === 'active'));
  if (missing.length > 0) {
    await Promise.all(missing.map((alg) => addKey(store, alg)));
    stored = await store.all();
  }
  const keys = SIGNING_ALGS.flatMap((alg) => stored.filter((key) => key.alg === alg));
  return { keys: keys.map(({ privateJwk, kid, alg }) => ({ ...privateJwk, kid, alg, use: 'sig' }) as JWK) };
}

async function addKey(store: KeyStore, alg: SigningAlg): Promise<void> {
  const { publicKey, privateKey } = await keyPair(alg);
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK;
  const kid = thumbprint(publicJwk);
  await store.addFirst(alg, kid, publicJwk, privateKey.export({ format: 'jwk' }) as JWK);
}

function keyPair(alg: SigningAlg): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (alg === 'RS256') return generate('rsa', { modulusLength: 2048 });
  return alg === 'ES256' ? generate('ec', { namedCurve: 'P-256' }) : generate('ed25519');
}

/** RFC 7638: the hash of the required members in lexical order. */
function thumbprint(jwk: JWK): string {
  const members =
    jwk.kty === 'RSA' ? ['e', 'kty', 'n'] : jwk.kty === 'EC' ? ['crv', 'kty', 'x', 'y'] : ['crv', 'kty', 'x'];
  const required = Object.fromEntries(members.map((name) => [name, (jwk as unknown as Record<string, unknown>)[name]]));
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}
