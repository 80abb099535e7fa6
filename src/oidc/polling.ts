/**
 * Devices that ask too often whether the person has agreed are told `slow_down`, and to wait five seconds longer from
 * then on (RFC 8628 section 3.5), whichever process they ask.
 */
import { LRUCache } from 'lru-cache';
import Provider, { errors } from 'oidc-provider';
import { storedIdentifier } from '../artifacts/identifier.ts';
import type { Polls } from '../limits/poll-store.ts';
import { orUnavailable } from './unavailable.ts';

/** What a device is told that it may do without an `interval` in the answer (RFC 8628 section 3.2). */
const INTERVAL_MS = 5000;
/** Five seconds are added once: a device that adds them each time is slower than it has to be. */
const MOST_MS = 2 * INTERVAL_MS;
/** Networks and timers are not exact. */
const TOLERANCE_MS = 1000;

interface Code {
  jti: string;
  accountId?: string;
  error?: string;
  isExpired: boolean;
}

interface Models {
  DeviceCode: { find(value: string, options?: object): Promise<Code | undefined> };
}

export interface PollingLimitOptions {
  /** What all processes know of. */
  polls: Polls;
  /** Codes whose last poll this process remembers, so that one that asks without a pause writes nothing. */
  codes?: number;
}

const SHARED = { pauseMs: INTERVAL_MS - TOLERANCE_MS, longMs: MOST_MS - TOLERANCE_MS };

/** @returns what is to be called with each core. */
export function createPollingLimit({ polls, codes = 10_000 }: PollingLimitOptions): (core: Provider) => void {
  const here = new LRUCache<string, { at: number; intervalMs: number }>({ max: codes });
  const earlyAnywhere = orUnavailable(polls.early);
  const { SlowDown } = errors as unknown as { SlowDown: new () => Error };

  return (core) => {
    const { DeviceCode } = core as unknown as Models;
    const find = DeviceCode.find.bind(DeviceCode);
    DeviceCode.find = async (value, options) => {
      const code = await find(value, options);
      // The browser in which the person agrees looks for it, too.
      if (Provider.ctx?.oidc?.route !== 'token') return code;
      if (!code || code.accountId || code.error || code.isExpired) return code;
      const now = Date.now();
      const last = here.get(code.jti);
      const intervalMs = last?.intervalMs ?? INTERVAL_MS;
      const earlyHere = last !== undefined && now - last.at < intervalMs - TOLERANCE_MS;
      here.set(code.jti, { at: now, intervalMs: earlyHere ? MOST_MS : intervalMs });
      if (!earlyHere && !(await earlyAnywhere(storedIdentifier(code.jti), SHARED))) return code;
      here.set(code.jti, { at: now, intervalMs: MOST_MS });
      throw new SlowDown();
    };
  };
}
