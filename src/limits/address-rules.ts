/**
 * The operator's own word about addresses: who is turned away, and who is not limited by address. Of several networks
 * that hold an address the smallest decides. Every process follows within a second.
 */
import type { Recorder } from '../audit/audit.ts';
import type { EventType, Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { within } from '../patience.ts';
import { type AddressRow, createAddressStore, type Verdict } from './address-store.ts';
import { type Network, networkText, parseNetwork } from './sources.ts';

export type { Verdict };

/** How old what is known of the rules may be. */
const FRESH_MS = 1000;
/** A database that takes longer to say them holds up nobody else: what is known goes on until it has. */
const PATIENCE_MS = 500;
const MAX_REASON = 300;
/** A block of more than that is a slip. */
const SHORTEST = { ipv4: 8, ipv6: 16 } as const;
const EVENTS = { block: 'address.blocked', allow: 'address.allowed' } as const satisfies Record<Verdict, EventType>;

export interface AddressRule {
  network: string;
  verdict: Verdict;
  reason: string;
  created_at: string;
  /** Null: until it is removed. */
  expires_at: string | null;
}

export interface AddressRulesOptions {
  db: Database;
  audit: Pick<Recorder, 'record'>;
  /** The rules could not be read; the last ones go on. */
  onError(error: unknown): void;
}

export function createAddressRules({ db, audit, onError }: AddressRulesOptions) {
  const store = createAddressStore(db);
  let rules: Array<Network & { verdict: Verdict; expiresAt: number | null }> = [];
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  /** What requests wait for of it. */
  let waiting: Promise<void> | undefined;

  /** Undefined while what is known is fresh. */
  function refreshed(): Promise<void> | undefined {
    if (Math.abs(Date.now() - readAt) < FRESH_MS) return undefined;
    if (!reading) {
      waiting = within(PATIENCE_MS, read(), undefined).finally(() => {
        waiting = undefined;
      });
    }
    return waiting;
  }

  function read(): Promise<void> {
    reading = store
      .all()
      .then((rows) => {
        rules = rows
          .map(({ network, verdict, expires_at: expiresAt }) => ({ ...parsed(network), verdict, expiresAt }))
          .sort((a, b) => b.bits - a.bits);
      }, onError)
      .finally(() => {
        readAt = Date.now();
        reading = undefined;
      });
    return reading;
  }

  function verdictOf(address: string): Verdict | undefined {
    if (rules.length === 0) return undefined;
    const now = Date.now();
    return rules.find((rule) => (rule.expiresAt ?? now + 1) > now && rule.holds(address))?.verdict;
  }

  return {
    refreshed,

    /** Of what is known now; `refreshed` is to be awaited before. */
    verdictOf,
    isAllowed: (address: string) => verdictOf(address) === 'allow',

    list: async (): Promise<AddressRule[]> => (await store.all()).map(ruleOf),

    /** Replaces what was said of the same network. @throws AppError invalid_request. */
    async put(rule: { network: string; verdict: Verdict; reason: string; expiresAt: number | null }, by: Origin) {
      const { bits, kind, text: network } = parsed(rule.network);
      const reason = rule.reason.trim();
      if (reason.length > MAX_REASON) throw wrong(`The reason has at most ${MAX_REASON} characters.`);
      if (rule.verdict === 'block' && bits < SHORTEST[kind])
        throw wrong(`${network} is too much to block: a prefix has at least ${SHORTEST[kind]} bits.`);
      const { verdict, expiresAt } = rule;
      const row: AddressRow = { network, verdict, reason, created_at: Date.now(), expires_at: expiresAt };
      await db.write(function* () {
        yield* store.put(row);
        const details = { network, reason, until: expiresAt === null ? null : new Date(expiresAt).toISOString() };
        yield* audit.record({ type: EVENTS[verdict], by, details });
      });
      return ruleOf(row);
    },

    /** @throws AppError not_found, invalid_request. */
    async remove(text: string, by: Origin): Promise<string> {
      const { text: network } = parsed(text);
      await db.write(function* () {
        if ((yield* store.remove(network)) === 0)
          throw new AppError('not_found', { message: `There is no rule for ${network}.` });
        yield* audit.record({ type: 'address.released', by, details: { network } });
      });
      return network;
    },

    purge: store.purge,
  };
}

export type AddressRules = ReturnType<typeof createAddressRules>;

function parsed(text: string): Network & { text: string } {
  const network = parseNetwork(text);
  if (network) return { ...network, text: networkText(network) };
  throw wrong(`"${text}" is no address or network: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.`);
}

function wrong(message: string): AppError {
  return new AppError('invalid_request', { message });
}

function ruleOf({ network, verdict, reason, created_at, expires_at }: AddressRow): AddressRule {
  const ends = expires_at === null ? null : new Date(expires_at).toISOString();
  return { network, verdict, reason, created_at: new Date(created_at).toISOString(), expires_at: ends };
}
