/**
 * Signatures of the protocol core (RFC 7518, RFC 8037). The core's own way asks a thread for each of them, which costs
 * more than a signature on an elliptic curve itself, and makes it wait behind passwords that are being hashed. RSA is
 * slow enough for a thread.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { ExternalSigningKey, type JWK } from 'oidc-provider';
import type { SigningAlg } from './new-key.ts';

/** The core calls it experimental: another version of it must be looked at, and does not start before. */
export const SIGNING_FEATURE = { externalSigningSupport: { enabled: true, ack: 'experimental-01' } };

const inThread = promisify<string, Uint8Array, KeyObject, Buffer>(sign);

/** Of the bytes that are signed. */
type Signer = (data: Uint8Array) => Uint8Array | Promise<Uint8Array>;

const SIGNERS: Record<SigningAlg, (key: KeyObject) => Signer> = {
  RS256: (key) => (data) => inThread('sha256', data, key),
  ES256: (key) => (data) => twoNumbers(sign('sha256', data, key)),
  EdDSA: (key) => (data) => sign(null, data, key),
};

/** Bytes of a number of P-256. */
const NUMBER = 32;

/**
 * The two numbers of a DER signature as RFC 7518 section 3.4 wants them: padded, without signs. Node does the same with
 * `dsaEncoding`, but takes more than twice as long for a key with options.
 */
function twoNumbers(der: Buffer): Buffer {
  const both = Buffer.alloc(2 * NUMBER);
  // Behind the heads of the sequence and of the number, each with a length below 128.
  const first = 4;
  const end = first + (der[first - 1] as number);
  copyNumber(der.subarray(first, end), both, NUMBER);
  copyNumber(der.subarray(end + 2), both, 2 * NUMBER);
  return both;
}

/** To the right end of its place; a zero in front only said that the number is positive. */
function copyNumber(number: Buffer, into: Buffer, end: number): void {
  const bytes = number.subarray(Math.max(0, number.length - NUMBER));
  bytes.copy(into, end - bytes.length);
}

/** @param jwk a private key with `kid` and `alg`. */
export function signingKey(jwk: JWK): ExternalSigningKey {
  return new SigningKey(jwk, jwk.alg as SigningAlg);
}

class SigningKey extends ExternalSigningKey {
  readonly #jwk: JWK;
  readonly #public: KeyObject;
  override readonly sign: Signer;

  constructor(jwk: JWK, alg: SigningAlg) {
    super();
    const key = createPrivateKey({ key: jwk as never, format: 'jwk' });
    this.#jwk = jwk;
    this.#public = createPublicKey(key);
    this.sign = SIGNERS[alg](key);
  }

  override get kid(): string | undefined {
    return this.#jwk.kid;
  }

  override get alg(): string | undefined {
    return this.#jwk.alg;
  }

  override keyObject(): KeyObject {
    return this.#public;
  }
}
