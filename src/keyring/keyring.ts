/**
 * One random data key a purpose, wrapped by the key-encryption key (`LATCHKEY_SECRET_KEY`), so that changing that key
 * re-wraps these few rows and breaks neither a pepper nor a stored value. Loaded once, then synchronous.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { envelopeKey, keyId, open, seal } from './envelope.ts';
import type { DataKeyStore } from './store.ts';

const PURPOSES = ['payload', 'client', 'signing', 'code', 'pepper', 'cookie', 'csrf', 'outbox', 'audit'] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface Keyring {
  seal(purpose: Purpose, plaintext: Buffer | string, context: string): string;
  /** @throws Error when the value was changed, moved or sealed for another purpose. */
  open(purpose: Purpose, envelope: string, context: string): Buffer;
  sealJson(purpose: Purpose, value: unknown, context: string): string;
  openJson<Value>(purpose: Purpose, envelope: string, context: string): Value;
  /** Keyed hash (HMAC-SHA256, base64url) for values of low entropy. */
  mac(purpose: Purpose, value: string): string;
  /** The raw 32 bytes, for parts that need a key of their own (cookie signatures, pepper). */
  key(purpose: Purpose): Buffer;
}

/** None of the given key-encryption keys opens the stored data keys; the message is for the operator. */
export class KeyringFault extends Error {}

export async function createKeyring(options: { store: DataKeyStore; secretKeys: Buffer[] }): Promise<Keyring> {
  const wrapping = options.secretKeys.map((key) => ({ id: keyId(key), key: createSecretKey(key) }));
  const first = wrapping[0];
  if (!first) throw new KeyringFault('no key-encryption key is configured (LATCHKEY_SECRET_KEY)');
  const rows = await options.store.ensure(
    PURPOSES.map((purpose) => ({
      purpose,
      wrapped: seal(first.key, first.id, randomBytes(32), `data_keys|${purpose}`),
    })),
  );
  const keys = new Map<string, { raw: Buffer; id: string; key: KeyObject }>();
  for (const { purpose, wrapped } of rows) {
    const wrapper = wrapping.find(({ id }) => id === envelopeKey(wrapped));
    if (!wrapper) {
      throw new KeyringFault(
        `The stored keys were wrapped by the secret key with the id ${envelopeKey(wrapped)}, which is not among those of LATCHKEY_SECRET_KEY (${wrapping.map(({ id }) => id).join(', ')}). Add the old key behind the new one, separated by a comma.`,
      );
    }
    const raw = open(wrapper.key, wrapped, `data_keys|${purpose}`);
    keys.set(purpose, { raw, id: keyId(raw), key: createSecretKey(raw) });
  }
  const of = (purpose: Purpose) => keys.get(purpose) as { raw: Buffer; id: string; key: KeyObject };
  return {
    seal: (purpose, plaintext, context) => seal(of(purpose).key, of(purpose).id, plaintext, context),
    open: (purpose, envelope, context) => open(of(purpose).key, envelope, context),
    sealJson: (purpose, value, context) => seal(of(purpose).key, of(purpose).id, JSON.stringify(value), context),
    openJson: (purpose, envelope, context) => JSON.parse(open(of(purpose).key, envelope, context).toString()),
    mac: (purpose, value) => createHmac('sha256', of(purpose).key).update(value).digest('base64url'),
    key: (purpose) => of(purpose).raw,
  };
}
