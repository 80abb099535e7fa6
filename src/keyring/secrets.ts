/** Changing `LATCHKEY_SECRET_KEY`: the few data keys are wrapped anew, so nothing that they encrypt has to change. */
import type { Steps } from '../db/statement.ts';
import { envelopeKey } from './envelope.ts';
import type { DataKeyStore } from './store.ts';
import { createWrapping } from './wrapping.ts';

export interface SecretKeyStatus {
  id: string;
  /** Data keys that only this key opens. */
  dataKeys: number;
  /** Whether it is among those of LATCHKEY_SECRET_KEY, and whether it is the first, which wraps. */
  configured: boolean;
  first: boolean;
}

export interface SecretsOptions {
  store: DataKeyStore;
  secretKeys: Buffer[];
  /** What records that this key protects everything from now on. Asked for once it is known that all keys open. */
  recorder(): Promise<(key: string) => Steps<void>>;
}

export function createSecrets({ store, secretKeys, recorder }: SecretsOptions) {
  return {
    /** The configured keys in their order, then those that are missing. @throws KeyringFault without any key. */
    async status(): Promise<SecretKeyStatus[]> {
      const { ids } = createWrapping(secretKeys);
      const used = (await store.all()).map(({ wrapped }) => envelopeKey(wrapped) ?? 'unknown');
      return [...new Set([...ids, ...used.sort()])].map((id) => ({
        id,
        dataKeys: used.filter((each) => each === id).length,
        configured: ids.includes(id),
        first: id === ids[0],
      }));
    },

    /**
     * Wraps every data key by the first secret key. Each row is a step of its own that is done or not: broken off, it
     * goes on at the next call; repeated, it finds nothing to do. The last row is changed with its record. Running instances hold the data keys and notice nothing.
     * @throws KeyringFault, before anything is changed, when a data key can't be opened.
     */
    async rotate(): Promise<{ key: string; rewrapped: number; unchanged: number }> {
      const wrapping = createWrapping(secretKeys);
      const key = wrapping.ids[0] as string;
      const opened = (await store.all()).map((row) => ({ row, raw: wrapping.unwrap(row) }));
      const due = opened.filter(({ row }) => envelopeKey(row.wrapped) !== key);
      const record = due.length > 0 ? await recorder() : undefined;
      for (const [index, { row, raw }] of due.entries()) {
        const more = record && index === due.length - 1 ? () => record(key) : undefined;
        await store.rewrap(row, wrapping.wrap(row.purpose, raw), more);
      }
      return { key, rewrapped: due.length, unchanged: opened.length - due.length };
    },
  };
}

export type Secrets = ReturnType<typeof createSecrets>;
