/** An authenticator in software: real ES256 keys, "none" attestation, and every part of an answer can be spoiled. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();
const b64 = (data: Buffer | string) => Buffer.from(data).toString('base64url');

/** Just enough of CBOR (RFC 8949) for an attestation object and a COSE key. */
function cbor(value: number | string | Buffer | Map<unknown, unknown>): Buffer {
  const head = (major: number, length: number) =>
    length < 24
      ? Buffer.from([(major << 5) | length])
      : length < 256
        ? Buffer.from([(major << 5) | 24, length])
        : Buffer.from([(major << 5) | 25, length >> 8, length & 255]);
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  const pairs = [...value].flatMap(([key, item]) => [cbor(key as number), cbor(item as number)]);
  return Buffer.concat([head(5, value.size), ...pairs]);
}

export const FLAGS = { present: 0x01, verified: 0x04, eligible: 0x08, backedUp: 0x10, attested: 0x40 };

export interface Spoiled {
  type?: string;
  challenge?: string;
  origin?: string;
  crossOrigin?: boolean;
  rpId?: string;
  flags?: number;
  counter?: number;
  userHandle?: string | null;
  /** Signs with another key. */
  key?: KeyObject;
}

export interface CreationOptions {
  challenge: string;
  rp: { id: string };
  user: { id: string; name: string };
  excludeCredentials: Array<{ id: string }>;
  authenticatorSelection: object;
  pubKeyCredParams: Array<{ alg: number }>;
}
export interface RequestOptions {
  challenge: string;
  rpId: string;
  allowCredentials?: Array<{ id: string }>;
  userVerification: string;
}

export function createAuthenticator(origin: string, { synced = false, aaguid = Buffer.alloc(16) } = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = randomBytes(32);
  const usual = FLAGS.present | FLAGS.verified | (synced ? FLAGS.eligible | FLAGS.backedUp : 0);
  let counter = 0;
  let handle = '';

  const clientData = (type: string, challenge: string, spoiled: Spoiled) =>
    Buffer.from(
      JSON.stringify({
        type: spoiled.type ?? type,
        challenge: spoiled.challenge ?? challenge,
        origin: spoiled.origin ?? origin,
        crossOrigin: spoiled.crossOrigin ?? false,
      }),
    );

  function authenticatorData(rpId: string, flags: number, count: number, more = Buffer.alloc(0)): Buffer {
    const counted = Buffer.alloc(4);
    counted.writeUInt32BE(count);
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), counted, more]);
  }

  function coseKey(): Buffer {
    const { x, y } = publicKey.export({ format: 'jwk' });
    const point = (text: string | undefined) => Buffer.from(text as string, 'base64url');
    return cbor(
      new Map<number, unknown>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, point(x)],
        [-3, point(y)],
      ]),
    );
  }

  return {
    id: b64(id),

    create(options: CreationOptions, spoiled: Spoiled = {}) {
      handle = options.user.id;
      const length = Buffer.from([0, id.length]);
      const attested = Buffer.concat([aaguid, length, id, coseKey()]);
      const flags = (spoiled.flags ?? usual) | FLAGS.attested;
      const authData = authenticatorData(spoiled.rpId ?? options.rp.id, flags, spoiled.counter ?? 0, attested);
      const attestation = new Map<string, unknown>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', authData],
      ]);
      return {
        ...{ id: b64(id), rawId: b64(id), type: 'public-key', clientExtensionResults: {} },
        response: {
          clientDataJSON: b64(clientData('webauthn.create', options.challenge, spoiled)),
          attestationObject: b64(cbor(attestation)),
          transports: ['internal'],
        },
      };
    },

    get(options: RequestOptions, spoiled: Spoiled = {}) {
      counter += 1;
      const data = clientData('webauthn.get', options.challenge, spoiled);
      const authData = authenticatorData(
        spoiled.rpId ?? options.rpId,
        spoiled.flags ?? usual,
        spoiled.counter ?? counter,
      );
      const signature = sign('sha256', Buffer.concat([authData, sha256(data)]), spoiled.key ?? privateKey);
      const userHandle = spoiled.userHandle === undefined ? handle : spoiled.userHandle;
      return {
        ...{ id: b64(id), rawId: b64(id), type: 'public-key', clientExtensionResults: {} },
        response: {
          clientDataJSON: b64(data),
          authenticatorData: b64(authData),
          signature: b64(signature),
          ...(userHandle === null ? {} : { userHandle }),
        },
      };
    },
  };
}

export type Authenticator = ReturnType<typeof createAuthenticator>;
