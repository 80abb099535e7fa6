/** Replaces a data key by a new one: what the old one sealed is closed for ever. Who has the old one loaded goes on with
 * it, so nobody may be running. */
import { randomBytes } from 'node:crypto';
import type { Steps } from '../db/statement.ts';
import type { Purpose } from './keyring.ts';
import type { DataKeyStore } from './store.ts';
import { createWrapping } from './wrapping.ts';

export function createRenewal({ store, secretKeys }: { store: Pick<DataKeyStore, 'replace'>; secretKeys: Buffer[] }) {
  const { wrap } = createWrapping(secretKeys);
  return (purpose: Purpose): Steps<void> => store.replace(purpose, wrap(purpose, randomBytes(32)));
}
