/**
 * Signatures on marks of the chain (SECURITY D6): who keeps them elsewhere checks them with the public key alone. A
 * compact JWS (RFC 7515) by ES256, whose key is derived from the record's own, so that every instance has the same.
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, hkdfSync, sign, verify } from 'node:crypto';
import type { Mark, MarkKind } from './macs.ts';

/** The order of the curve P-256 (FIPS 186-5). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const TYPE = 'latchkey-audit+jwt';
const IEEE = 'ieee-p1363';

export interface PublicJwk {
  kty: 'EC';
  crv: 'P-256';
  x: string;
  y: string;
  kid: string;
  alg: 'ES256';
  use: 'sig';
}

export interface SignedMark extends Mark {
  kind: MarkKind;
  /** Milliseconds since 1970. */
  at: number;
}

/** @param key the record's data key. */
export function createSigning(key: Buffer) {
  const { privateKey, jwk } = keyPair(key);
  const publicKey = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  const header = part({ alg: 'ES256', typ: TYPE, kid: jwk.kid });

  return {
    /** What outsiders need to check a mark. */
    jwk,

    sign({ kind, seq, chain, at }: SignedMark): string {
      const signed = `${header}.${part({ kind, seq, chain, at })}`;
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: IEEE });
      return `${signed}.${signature.toString('base64url')}`;
    },

    /** The mark of a JWS that this service made; undefined for anything else. */
    read(jws: string): SignedMark | undefined {
      const [head, payload, signature, ...rest] = jws.split('.');
      // Our own header to the letter: nobody else chooses algorithm or key.
      if (head !== header || !payload || !signature || rest.length > 0) return undefined;
      const bytes = Buffer.from(signature, 'base64url');
      const right = verify('sha256', Buffer.from(`${head}.${payload}`), { key: publicKey, dsaEncoding: IEEE }, bytes);
      return right && bytes.toString('base64url') === signature
        ? JSON.parse(Buffer.from(payload, 'base64url').toString())
        : undefined;
    },
  };
}

export type Signing = ReturnType<typeof createSigning>;

/** FIPS 186-5 appendix A.2.1: 64 bits more than the order has, so that no scalar is likelier than another. */
function keyPair(key: Buffer) {
  const seed = Buffer.from(hkdfSync('sha256', key, '', 'latchkey audit checkpoints ES256', 40));
  const scalar = (BigInt(`0x${seed.toString('hex')}`) % (ORDER - 1n)) + 1n;
  const secret = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(secret);
  const point = curve.getPublicKey();
  const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
  const members = { kty: 'EC', crv: 'P-256', x, y } as const;
  // RFC 7638: the members in this order, nothing else.
  const named = JSON.stringify({ crv: members.crv, kty: members.kty, x, y });
  const kid = createHash('sha256').update(named).digest('base64url');
  const jwk: PublicJwk = { ...members, kid, alg: 'ES256', use: 'sig' };
  return { jwk, privateKey: createPrivateKey({ key: { ...members, d: secret.toString('base64url') }, format: 'jwk' }) };
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
