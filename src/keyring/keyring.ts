/**
 * One random data key a purpose, wrapped by the key-encryption key (`LATCHKEY_SECRET_KEY`), so that changing that key
 * re-wraps these few rows and breaks neither a pepper nor a stored value. Loaded once, then synchronous.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { keyId, open, seal } from './envelope.ts';
import { createOpened } from './opened.ts';
import type { DataKeyStore } from './store.ts';
import { createWrapping } from './wrapping.ts';

const PURPOSES = [
  'payload',
  'client',
  'signing',
  'code',
  'pepper',
  'cookie',
  'csrf',
  'outbox',
  'audit',
  'limits',
  'totp',
  'recovery',
] as const;
/** What the protocol stores and reads at every request; nothing that a mail carries. */
const REMEMBERED = 'payload';
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

/** @throws KeyringFault */
export async function createKeyring(options: { store: DataKeyStore; secretKeys: Buffer[] }): Promise<Keyring> {
  const { store, secretKeys } = options;
  const { wrap, unwrap } = createWrapping(secretKeys);
  // With a wrong secret key nothing is written: a row that it wrapped would lock the right one out.
  const stored = await store.all();
  for (const row of stored) unwrap(row);
  const there = new Set(stored.map(({ purpose }) => purpose));
  const lacking = PURPOSES.filter((purpose) => !there.has(purpose));
  const rows = await store.ensure(lacking.map((purpose) => ({ purpose, wrapped: wrap(purpose, randomBytes(32)) })));
  const keys = new Map<string, { raw: Buffer; id: string; key: KeyObject }>();
  for (const row of rows) {
    const raw = unwrap(row);
    keys.set(row.purpose, { raw, id: keyId(raw), key: createSecretKey(raw) });
  }
  const opened = createOpened();
  const of = (purpose: Purpose) => keys.get(purpose) as { raw: Buffer; id: string; key: KeyObject };
  return {
    seal: (purpose, plaintext, context) => seal(of(purpose).key, of(purpose).id, plaintext, context),
    open: (purpose, envelope, context) => open(of(purpose).key, envelope, context),
    sealJson(purpose, value, context) {
      const text = JSON.stringify(value);
      const envelope = seal(of(purpose).key, of(purpose).id, text, context);
      if (purpose === REMEMBERED) opened.keep(envelope, context, text);
      return envelope;
    },
    openJson(purpose, envelope, context) {
      const known = purpose === REMEMBERED ? opened.find(envelope, context) : undefined;
      if (known !== undefined) return JSON.parse(known);
      const text = open(of(purpose).key, envelope, context).toString();
      if (purpose === REMEMBERED) opened.keep(envelope, context, text);
      return JSON.parse(text);
    },
    mac: (purpose, value) => createHmac('sha256', of(purpose).key).update(value).digest('base64url'),
    key: (purpose) => of(purpose).raw,
  };
}
