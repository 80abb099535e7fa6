/** The keyed hashes that make a change of the record show (SECURITY D6): of a row, of the chain, of marks on it. */
import { timingSafeEqual } from 'node:crypto';
import type { Keyring } from '../keyring/keyring.ts';

/** The members of a row that its hash covers. */
export interface Facts {
  id: string;
  at: number;
  type: string;
  outcome: string;
  account_id: string | null;
  client_id: string | null;
  session_id: string | null;
  via: string;
  ip: string | null;
  user_agent: string | null;
  request_id: string | null;
  /** JSON, as it is stored. */
  details: string;
}

/** A place in the chain that was written down: the head, a checkpoint, a cut. */
export interface Mark {
  seq: number;
  chain: string;
}

export type MarkKind = 'head' | 'checkpoint' | 'cut';

export function createMacs(keyring: Pick<Keyring, 'mac'>) {
  const mac = (kind: string, ...members: unknown[]) => keyring.mac('audit', JSON.stringify([kind, ...members]));

  return {
    row: (row: Facts): string => mac('row', ...keptOf(row), ...[row.ip, row.user_agent, row.request_id, row.details]),

    /** Of a row whose personal members are gone: over what is left, and the hash that the chain was made with. */
    erased: (row: Facts & { mac: string }): string => mac('erased', ...keptOf(row), row.mac),

    link: (previous: string, seq: number, rowMac: string): string => mac('link', previous, seq, rowMac),

    mark: (kind: MarkKind, { seq, chain }: Mark): string => mac(kind, seq, chain),

    /** Something that is the same for the same address and tells nobody which it is. */
    pseudonym: (address: string): string => mac('address', address).slice(0, 16),
  };
}

function keptOf(row: Facts): unknown[] {
  const { id, at, type, outcome, account_id, client_id, session_id, via } = row;
  return [id, at, type, outcome, account_id, client_id, session_id, via];
}

export type Macs = ReturnType<typeof createMacs>;

export function sameMac(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
