/** The key-encryption keys (`LATCHKEY_SECRET_KEY`): the first wraps data keys, each of them unwraps. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { envelopeKey, keyId, open, seal } from './envelope.ts';
import type { DataKeyRow } from './store.ts';

/** The stored data keys can't be opened with what is configured; the message is for the operator. */
export class KeyringFault extends Error {}

export interface Wrapping {
  /** Ids of the configured keys; the first wraps. */
  ids: string[];
  wrap(purpose: string, raw: Buffer): string;
  /** @throws KeyringFault */
  unwrap(row: DataKeyRow): Buffer;
}

/** @throws KeyringFault without any key. */
export function createWrapping(secretKeys: Buffer[]): Wrapping {
  const keys = new Map<string, KeyObject>(secretKeys.map((key) => [keyId(key), createSecretKey(key)]));
  const ids = [...keys.keys()];
  const [first] = ids;
  if (first === undefined) throw new KeyringFault('no key-encryption key is configured (LATCHKEY_SECRET_KEY)');
  return {
    ids,
    wrap: (purpose, raw) => seal(keys.get(first) as KeyObject, first, raw, contextOf(purpose)),
    unwrap({ purpose, wrapped }) {
      const id = envelopeKey(wrapped) ?? 'unknown';
      const key = keys.get(id);
      if (!key) throw missing(id, ids);
      try {
        return open(key, wrapped, contextOf(purpose));
      } catch {
        throw new KeyringFault(
          `The stored key for ${JSON.stringify(purpose)} is damaged or belongs elsewhere. Restore the table data_keys from a backup.`,
        );
      }
    },
  };
}

const contextOf = (purpose: string) => `data_keys|${purpose}`;

function missing(id: string, configured: string[]): KeyringFault {
  return new KeyringFault(
    `The stored keys were wrapped by the secret key with the id ${id}, which is not among those of LATCHKEY_SECRET_KEY (${configured.join(', ')}). Add the old key behind the new one, separated by a comma. Nothing was changed.`,
  );
}
