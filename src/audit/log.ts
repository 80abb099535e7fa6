/** The record put together: recording, reading, sealing, checking, and what the retention removes. */
import type { Keyring } from '../keyring/keyring.ts';
import { type AuditOptions, createAudit } from './audit.ts';
import { createMacs, type Mark } from './macs.ts';
import { createSealer, type SealerOptions } from './sealer.ts';
import { createSigning } from './signing.ts';
import { createAuditStore } from './store.ts';
import { createVerify } from './verify.ts';

export type AuditLogOptions = Pick<AuditOptions, 'db' | 'onRecorded'> & {
  keyring: Pick<Keyring, 'mac' | 'key'>;
} & Pick<SealerOptions, 'retentionMs' | 'onCheckpoint' | 'onError'>;

export function createAuditLog({ db, keyring, onRecorded, ...rules }: AuditLogOptions) {
  const macs = createMacs(keyring);
  const signing = createSigning(keyring.key('audit'));
  const store = createAuditStore(db);
  const sealer = createSealer({ db, store, macs, signing, ...rules });
  const verify = createVerify({ store, macs, signing });

  return {
    ...createAudit({ db, store, macs, onRecorded }),
    start: sealer.start,
    stop: sealer.stop,
    sweep: sealer.sweep,
    seal: sealer.sealAll,

    /** Newest first, and the public key that checks their signatures. */
    async checkpoints(limit: number) {
      const marks = await store.newestCheckpoints(limit);
      const items = marks.map(({ seq, chain, at, jws }) => ({ seq, at: new Date(at).toISOString(), chain, jws }));
      return { key: signing.jwk, items };
    },

    /** The place that a signed checkpoint from outside speaks of; undefined when it is not one of ours. */
    readCheckpoint(jws: string): Mark | undefined {
      const said = signing.read(jws);
      return said?.kind === 'checkpoint' ? { seq: said.seq, chain: said.chain } : undefined;
    },

    /** Seals what waits, then reads everything. `shipped`: checkpoints that were kept outside of the database. */
    async verify(shipped: Mark[] = []) {
      await sealer.sealAll();
      return verify(shipped);
    },
  };
}

export type AuditLog = ReturnType<typeof createAuditLog>;
