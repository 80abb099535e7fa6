/** A new key pair for signing, named by its thumbprint. Knows no state and no store. */
import { createHash, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'oidc-provider';

export type SigningAlg = 'RS256' | 'ES256' | 'EdDSA';

export interface NewKey {
  kid: string;
  alg: SigningAlg;
  publicJwk: JWK;
  privateJwk: JWK;
}

const generate = promisify(generateKeyPair);

export async function newKey(alg: SigningAlg): Promise<NewKey> {
  const { publicKey, privateKey } = await keyPair(alg);
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK;
  return { kid: thumbprint(publicJwk), alg, publicJwk, privateJwk: privateKey.export({ format: 'jwk' }) as JWK };
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
