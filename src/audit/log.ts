/** The record put together: recording, reading, sealing, checking, and what the retention removes. */
import type { Keyring } from '../keyring/keyring.ts';
import { type AuditOptions, createAudit } from './audit.ts';
import { createMacs, type Mark } from './macs.ts';
import { createSealer, type SealerOptions } from './sealer.ts';
import { createAuditStore } from './store.ts';
import { createVerify } from './verify.ts';

export type AuditLogOptions = Pick<AuditOptions, 'db' | 'onRecorded'> & { keyring: Pick<Keyring, 'mac'> } & Pick<
    SealerOptions,
    'retentionMs' | 'onCheckpoint' | 'onError'
  >;

export function createAuditLog({ db, keyring, onRecorded, ...rules }: AuditLogOptions) {
  const macs = createMacs(keyring);
  const store = createAuditStore(db);
  const sealer = createSealer({ db, store, macs, ...rules });
  const verify = createVerify({ store, macs });

  return {
    ...createAudit({ db, store, macs, onRecorded }),
    start: sealer.start,
    stop: sealer.stop,
    sweep: sealer.sweep,
    seal: sealer.sealAll,

    /** Seals what waits, then reads everything. `shipped`: checkpoints that were kept outside of the database. */
    async verify(shipped: Mark[] = []) {
      await sealer.sealAll();
      return verify(shipped);
    },
  };
}

export type AuditLog = ReturnType<typeof createAuditLog>;
