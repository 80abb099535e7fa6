/**
 * Devices that ask too often whether the person has agreed are told `slow_down`, and to wait five seconds longer from
 * then on (RFC 8628 section 3.5). Of this process: with several, a device may ask each of them.
 */
import { LRUCache } from 'lru-cache';
import Provider, { errors } from 'oidc-provider';

/** What a device is told that it may do without an `interval` in the answer (RFC 8628 section 3.2). */
const INTERVAL_MS = 5000;
/** Who began too fast catches up with this by adding five seconds each time, as the RFC says. */
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

/** @returns what is to be called with each core. */
export function createPollingLimit({ codes = 10_000 } = {}): (core: Provider) => void {
  const polls = new LRUCache<string, { at: number; intervalMs: number }>({ max: codes });
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
      const last = polls.get(code.jti);
      const intervalMs = last?.intervalMs ?? INTERVAL_MS;
      const early = last !== undefined && now - last.at < intervalMs - TOLERANCE_MS;
      polls.set(code.jti, { at: now, intervalMs: early ? Math.min(MOST_MS, intervalMs + INTERVAL_MS) : intervalMs });
      if (early) throw new SlowDown();
      return code;
    };
  };
}
