/**
 * Chains committed entries within a second, so that writers never queue for the chain's end; writes checkpoints; cuts
 * what is older than the retention. Any number of processes may run one: the end of the chain moves by compare-and-swap.
 */
import type { Database } from '../db/database.ts';
import type { Macs, Mark } from './macs.ts';
import type { Signing } from './signing.ts';
import type { AuditStore, LastingMark } from './store.ts';

const PAUSE_MS = 400;
const BATCH = 200;
const CHECKPOINT_ROWS = 1000;
const CHECKPOINT_MS = 60_000;
/** A cut is a row for ever: one a day, or for many entries. */
const CUT_MS = 86_400_000;

export interface SealerOptions {
  db: Database;
  store: AuditStore;
  macs: Macs;
  signing: Signing;
  retentionMs: number;
  /** To be shipped to where an intruder of the database can't reach it: later it shows a cut of the tail. */
  onCheckpoint(mark: Mark & { jws: string }): void;
  onError(error: unknown): void;
}

export function createSealer({ db, store, macs, signing, retentionMs, onCheckpoint, onError }: SealerOptions) {
  let timer: NodeJS.Timeout | undefined;
  let working = Promise.resolve();
  let stopped = true;
  let failing = false;
  let checkpointed: { seq: number; at: number } | undefined;

  /** @returns how many entries were sealed; 0 also when another sealer was faster. */
  async function sealSome(): Promise<number> {
    // Nothing to do is the usual case, and a read holds nobody up.
    if ((await store.unsealed(1)).length === 0) return 0;
    return db.write(function* () {
      const start = yield* store.headNow();
      const waiting = yield* store.waiting(BATCH);
      if (waiting.length === 0) return 0;
      let end = start;
      const links = waiting.map(({ id, mac }) => {
        const seq = end.seq + 1;
        end = { seq, chain: macs.link(end.chain, seq, mac) };
        return { id, ...end };
      });
      if (!(yield* store.moveHead(start.seq, { ...end, mac: macs.mark('head', end) }))) return 0;
      for (const { id, seq, chain } of links) yield* store.seal(id, { seq, chain });
      return links.length;
    });
  }

  async function sealAll(): Promise<void> {
    while ((await sealSome()) === BATCH);
  }

  async function checkpoint(force = false): Promise<void> {
    const head = await store.head();
    const last = checkpointed ?? (await store.lastCheckpoint()) ?? { seq: 0, at: 0 };
    checkpointed = last;
    if (!head || head.seq <= last.seq) return;
    if (!force && head.seq - last.seq < CHECKPOINT_ROWS && Date.now() - last.at < CHECKPOINT_MS) return;
    const mark = lasting('checkpoint', { seq: head.seq, chain: head.chain });
    const added = await store.addMark('audit_checkpoints', mark);
    checkpointed = { seq: head.seq, at: Date.now() };
    if (added) onCheckpoint({ seq: mark.seq, chain: mark.chain, jws: mark.jws });
  }

  function lasting(kind: 'checkpoint' | 'cut', mark: Mark): LastingMark & { jws: string } {
    const at = Date.now();
    return { ...mark, at, mac: macs.mark(kind, mark), jws: signing.sign({ ...mark, kind, at }) };
  }

  function run(): void {
    working = sealAll()
      .then(() => checkpoint())
      .then(() => {
        failing = false;
      })
      .catch((error) => {
        // Said once, not twice a second for as long as the database is away.
        if (!failing) onError(error);
        failing = true;
      })
      .finally(() => {
        if (stopped) return;
        timer = setTimeout(run, PAUSE_MS * (0.9 + Math.random() / 5));
        timer.unref();
      });
  }

  return {
    sealAll,

    start(): void {
      if (!stopped) return;
      stopped = false;
      run();
    },

    /** Seals what is left. */
    async stop(): Promise<void> {
      if (stopped) return;
      stopped = true;
      clearTimeout(timer);
      await working;
      await sealAll()
        .then(() => checkpoint(true))
        .catch(onError);
    },

    /** Removes at most `limit` entries that are older than the retention. @returns how many. */
    async sweep(limit: number): Promise<number> {
      const last = await store.lastCut();
      const from = last?.seq ?? 0;
      const head = await store.head();
      const kept = await store.firstSince(from, Date.now() - retentionMs);
      const to = (kept?.seq ?? (head?.seq ?? 0) + 1) - 1;
      const due = to - from >= CHECKPOINT_ROWS || (to > from && Date.now() - (last?.at ?? 0) >= CUT_MS);
      if (due) {
        const [row] = await store.chained(to - 1, to, 1);
        if (row) {
          await store.addMark('audit_cuts', lasting('cut', { seq: to, chain: row.chain }));
          return store.removeTo(to, limit);
        }
      }
      return from === 0 ? 0 : store.removeTo(from, limit);
    },
  };
}

export type Sealer = ReturnType<typeof createSealer>;
