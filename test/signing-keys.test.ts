/** The signatures that we make for the protocol core are those that it would make itself. */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { createLocalJWKSet, exportJWK, jwtVerify } from 'jose';
import { newKey } from '../src/oidc/new-key.ts';
import { signingKey } from '../src/oidc/signing.ts';

for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
  test(`${alg}: any verifier takes it, and nothing of the private key is to be seen`, async () => {
    const { kid, publicJwk, privateJwk } = await newKey(alg);
    const key = signingKey({ ...privateJwk, kid, alg, use: 'sig' } as never);
    const parts = [{ alg, kid }, { sub: 'somebody' }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = Buffer.from(await key.sign(Buffer.from(parts.join('.')))).toString('base64url');
    const keys = createLocalJWKSet({ keys: [{ ...(publicJwk as object), kid, alg }] as never });
    const { payload } = await jwtVerify([...parts, signature].join('.'), keys, { algorithms: [alg] });
    assert.equal(payload.sub, 'somebody');
    assert.deepEqual([key.kid, key.alg, key.use, key.kty], [kid, alg, 'sig', publicJwk.kty]);
    assert.deepEqual(await exportJWK(await key.keyObject()), publicJwk);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) assert.equal((key as never)[member], undefined);
  });
}

test('ES256: a number that happens to be small or large has its place like any other', async () => {
  const { privateJwk, publicJwk } = await newKey('ES256');
  const key = signingKey({ ...privateJwk, alg: 'ES256' } as never);
  const publicKey = createPublicKey({ key: publicJwk as never, format: 'jwk' });
  // One number in 256 begins with a zero, every other with a bit that DER would read as a sign.
  for (let n = 0; n < 2000; n += 1) {
    const data = Buffer.from(`${n}`);
    const signature = await key.sign(data);
    assert.equal(signature.length, 64);
    assert.ok(verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature), `${n}`);
  }
});
