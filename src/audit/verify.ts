/** Checks the whole record: names the first place where it is not what was written. */
import { type Macs, type Mark, type MarkKind, sameMac } from './macs.ts';
import type { Signing } from './signing.ts';
import { type AuditStore, ERASED_DETAILS, type LastingMark, type Row, type StoredMark } from './store.ts';

const PAGE = 1000;
/** An entry that waits longer for its seal than this was kept from it. */
const SEALED_WITHIN_MS = 60_000;

export type FaultReason =
  /** The entry, or its own hash, is not as it was written. */
  | 'changed'
  /** An entry is missing. */
  | 'missing'
  /** The entry is genuine, but stands in another place than it was sealed at. */
  | 'moved'
  /** The end of the log is gone. */
  | 'cut'
  /** A checkpoint, a cut record or the head was not written by this service. */
  | 'forged'
  /** The entry was never sealed. */
  | 'unsealed';

export interface Verdict {
  ok: boolean;
  /** How many sealed entries were read. */
  checked: number;
  /** Entries that wait for the sealer, rightly. */
  waiting: number;
  /** Where the chain begins behind the newest cut, and where it ends. */
  from: number;
  to: number;
  fault: { seq: number | null; id: string | null; reason: FaultReason } | null;
}

export function createVerify({ store, macs, signing }: { store: AuditStore; macs: Macs; signing: Signing }) {
  const genuine = (kind: MarkKind, mark: StoredMark) => sameMac(mark.mac, macs.mark(kind, mark));

  function lasts(kind: 'checkpoint' | 'cut', mark: LastingMark): boolean {
    if (!genuine(kind, mark)) return false;
    if (mark.jws === null) return true;
    const said = signing.read(mark.jws);
    return said?.kind === kind && said.seq === mark.seq && said.chain === mark.chain && said.at === mark.at;
  }

  /** As it was written, or as a lawful erasure left it. */
  function whole(row: Row): boolean {
    if (row.erased === null) return sameMac(row.mac, macs.row(row));
    const { ip, user_agent, request_id, details } = row;
    const blank = ip === null && user_agent === null && request_id === null && details === ERASED_DETAILS;
    return blank && sameMac(row.erased, macs.erased(row));
  }

  async function chain(shipped: Mark[], from: StoredMark): Promise<Verdict> {
    const head = (await store.head()) ?? { seq: 0, chain: '', mac: '', highest: null };
    const verdict: Verdict = { ok: false, checked: 0, waiting: 0, from: from.seq + 1, to: head.seq, fault: null };
    const fail = (seq: number | null, reason: FaultReason, id: string | null = null): Verdict => ({
      ...verdict,
      fault: { seq, id, reason },
    });
    if (head.seq > 0 && !genuine('head', head)) return fail(head.seq, 'forged');
    const checkpoints = await store.checkpoints(from.seq);
    const forged = checkpoints.find((mark) => !lasts('checkpoint', mark));
    const marks = new Map<number, string[]>();
    for (const { seq, chain } of [...checkpoints, ...shipped, head]) {
      marks.set(seq, [...(marks.get(seq) ?? []), chain]);
    }
    let last: Mark = from;
    for (;;) {
      const rows = await store.chained(last.seq, head.seq, PAGE);
      for (const row of rows) {
        if (row.seq !== last.seq + 1) return fail(last.seq + 1, 'missing');
        if (!whole(row)) return fail(row.seq, 'changed', row.id);
        if (!sameMac(row.chain, macs.link(last.chain, row.seq, row.mac))) return fail(row.seq, 'moved', row.id);
        if (marks.get(row.seq)?.some((known) => known !== row.chain)) return fail(row.seq, 'moved', row.id);
        verdict.checked += 1;
        last = { seq: row.seq, chain: row.chain };
      }
      if (rows.length < PAGE) break;
    }
    const known = Math.max(head.seq, head.highest ?? 0, ...marks.keys());
    if (known > last.seq) return fail(last.seq + 1, 'cut');
    if (forged) return fail(forged.seq, 'forged');
    return unsealed(verdict, fail);
  }

  async function unsealed(verdict: Verdict, fail: (seq: null, reason: FaultReason, id: string) => Verdict) {
    const rows = await store.unsealed(PAGE);
    const changed = rows.find((row) => !whole(row));
    if (changed) return fail(null, 'changed', changed.id);
    const late = rows.find((row) => row.at < Date.now() - SEALED_WITHIN_MS);
    if (late) return fail(null, 'unsealed', late.id);
    return { ...verdict, ok: true, waiting: rows.length };
  }

  /** `shipped`: checkpoints that were kept outside of the database. */
  return async function verify(shipped: Mark[] = []): Promise<Verdict> {
    for (;;) {
      const cut = await store.lastCut();
      if (cut && !lasts('cut', cut)) {
        return {
          ok: false,
          checked: 0,
          waiting: 0,
          from: 0,
          to: 0,
          fault: { seq: cut.seq, id: null, reason: 'forged' },
        };
      }
      const from = cut ?? { seq: 0, chain: '', mac: '' };
      const verdict = await chain(
        shipped.filter(({ seq }) => seq > from.seq),
        from,
      );
      // The retention may have cut meanwhile.
      if (verdict.ok || (await store.lastCut())?.seq === cut?.seq) return verdict;
    }
  };
}

export type Verify = ReturnType<typeof createVerify>;
