/**
 * What a try at an account counts as, and whether it is looked at: steps of one unit of work, the same for an address
 * that belongs to nobody. Addresses are known by their keyed hash only.
 */
import type { Steps } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { AttemptStore, Count } from './attempt-store.ts';
import { networkOf, sourceOf } from './sources.ts';
import { hitWindow, takeBackHit } from './window-store.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const QUARTER_MS = 15 * MINUTE_MS;
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
/** A network of many sources is not one attacker: it has as much as so many of its sources. */
const SOURCES_OF_NETWORK = 10;

/** One budget each: what guesses at a password takes nothing from the tries of a code. */
export type AttemptKind = 'password' | 'code' | 'factor' | 'recovery_code';

export interface AttemptRules {
  /** Failures on one account from one source in a quarter of an hour, before it has to wait. */
  fromSource: number;
  /** Failures in a row from all unknown sources together; then nothing from there is looked at. */
  fromUnknown: number;
  /** Failures in a row of a device that signed in before; then it counts as unknown. */
  fromDevice: number;
  /** Failures of one source in a minute, at whatever account. */
  perMinute: number;
}

export interface Attempt {
  /** The canonical address, also where the door knows the account's id: every door counts at one place. */
  account: string;
  /** The address that the request came from; null where there is none. */
  source: string | null;
  kind: AttemptKind;
  /** What proves that the person was here before: the id of a known device, of a session, of a grant. */
  known?: string | undefined;
}

/** Told at most once in a quarter of an hour for an account and kind. */
export interface Slowed extends Attempt {
  /** `wait`: this source or device has to wait; `strangers`: no unknown source is looked at any more. */
  how: 'wait' | 'strangers';
}

export interface Refusal {
  limit: 'account' | 'guesses';
  seconds: number;
  most: number;
}

/** What was counted ahead. Always in this order, so that two units never wait for each other. */
export interface Counted {
  /** The row of the source or device at this account. */
  own: string;
  windows: string[];
  /** The row of all unknown sources at this account. */
  strangers?: string;
  at: number;
}

export interface LedgerOptions {
  store: AttemptStore;
  keyring: Pick<Keyring, 'mac'>;
  rules: AttemptRules;
  /** Sources that are not limited as such. */
  isAllowed?: ((address: string) => boolean) | undefined;
  /** Steps of the unit that refuses. */
  onSlowed?: ((slowed: Slowed) => Steps<void>) | undefined;
}

type Rule = Omit<Count, 'id' | 'subject'>;

/** Forgotten by success only. */
const inARow = (most: number): Rule => ({ few: 0, quietMs: YEAR_MS, memoryMs: YEAR_MS, most });

export function createAttemptLedger({ store, keyring, rules, isAllowed, onSlowed }: LedgerOptions) {
  const subjectOf = (account: string, kind: AttemptKind) => `${kind}|${keyring.mac('limits', `account|${account}`)}`;
  const ofSource: Rule = {
    few: rules.fromSource,
    quietMs: QUARTER_MS,
    memoryMs: DAY_MS,
    most: Number.MAX_SAFE_INTEGER,
  };
  const strangersOf = (subject: string) => `${subject}|strangers`;

  /** One place of the account, slower with each failure. Its id, or for how long it has to wait. */
  function* countSlowly(subject: string, place: string, rule: Rule): Steps<string | number> {
    const id = `${subject}|${place}`;
    const failures = yield* store.count({ id, subject, ...rule });
    if (failures === undefined) {
      const row = yield* store.find(id);
      if (row && row.failures >= rule.most) return Number.POSITIVE_INFINITY;
      return Math.max(1, ((row?.next_at ?? 0) - Date.now()) / SECOND_MS);
    }
    if (failures >= rules.fromSource) {
      const waitMs = Math.min(2 ** (failures - rules.fromSource + 1) * SECOND_MS, QUARTER_MS);
      yield* store.waitUntil(id, Date.now() + waitMs);
    }
    return id;
  }

  function* countWindows(source: string | null, at: number): Steps<{ windows: string[]; over: boolean }> {
    if (source === null || isAllowed?.(source)) return { windows: [], over: false };
    const limits = [
      { key: `failed:${sourceOf(source)}`, max: rules.perMinute },
      { key: `failed:${networkOf(source)}`, max: rules.perMinute * SOURCES_OF_NETWORK },
    ];
    const windows: string[] = [];
    for (const { key, max } of limits) {
      windows.push(key);
      if ((yield* hitWindow(key, MINUTE_MS, at)) <= max) continue;
      for (const hit of windows) yield* takeBackHit(hit, MINUTE_MS, at);
      return { windows: [], over: true };
    }
    return { windows, over: false };
  }

  function* tell(subject: string, slowed: Slowed): Steps<void> {
    const now = Date.now();
    const first = yield* store.tell(strangersOf(subject), subject, now - QUARTER_MS, now + YEAR_MS);
    if (first && onSlowed) yield* onSlowed(slowed);
  }

  /** Steps: the try as a failure in every place where it is one, or why it is not looked at. */
  function* decide(attempt: Attempt): Steps<Refusal | Counted> {
    const at = Date.now();
    const { source, known } = attempt;
    const subject = subjectOf(attempt.account, attempt.kind);
    if (known !== undefined) {
      const place = `device|${keyring.mac('limits', `device|${known}`)}`;
      const device = yield* countSlowly(subject, place, inARow(rules.fromDevice));
      if (typeof device === 'string') return { own: device, windows: [], at };
      if (device !== Number.POSITIVE_INFINITY) {
        yield* tell(subject, { ...attempt, how: 'wait' });
        return { limit: 'account', seconds: device, most: rules.fromSource };
      }
    }
    const pair = yield* countSlowly(subject, sourceOf(source ?? 'none'), ofSource);
    if (typeof pair === 'number') {
      yield* tell(subject, { ...attempt, how: 'wait' });
      return { limit: 'account', seconds: pair, most: rules.fromSource };
    }
    const { windows, over } = yield* countWindows(source, at);
    if (over) {
      yield* store.takeBack(pair);
      return { limit: 'guesses', seconds: (MINUTE_MS - (at % MINUTE_MS)) / SECOND_MS, most: rules.perMinute };
    }
    const strangers = strangersOf(subject);
    if ((yield* store.count({ id: strangers, subject, ...inARow(rules.fromUnknown) })) === undefined) {
      yield* store.takeBack(pair);
      yield* tell(subject, { ...attempt, how: 'strangers' });
      return { limit: 'account', seconds: QUARTER_MS / SECOND_MS, most: rules.fromUnknown };
    }
    return { own: pair, windows, strangers, at };
  }

  /** Steps: none of it was a failure. */
  function* undo({ own, windows, strangers, at }: Counted): Steps<void> {
    yield* store.takeBack(own);
    for (const window of windows) yield* takeBackHit(window, MINUTE_MS, at);
    if (strangers !== undefined) yield* store.takeBack(strangers);
  }

  /** Steps: the owner is there, so the counts begin again: its own, and those of strangers, whose guesses were wrong. */
  function* succeeded({ account, kind }: Attempt, { own, windows, at }: Counted): Steps<void> {
    yield* store.forget(own);
    for (const window of windows) yield* takeBackHit(window, MINUTE_MS, at);
    yield* store.forget(strangersOf(subjectOf(account, kind)));
    if (kind !== 'code') yield* store.forget(strangersOf(subjectOf(account, 'code')));
  }

  return { decide, undo, succeeded, subjectOf, strangersOf };
}
