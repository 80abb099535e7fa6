/**
 * Browsers in which somebody asked not to be asked for the second step again, for the time that the operator sets. It
 * meets the account's own policy only; what an application demands and a fresh proof are asked all the same
 * (login/requirement.ts), and `amr` never tells of it.
 */
import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { newIdentifier } from '../artifacts/identifier.ts';
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { RememberedRow, RememberedStore } from './remembered-store.ts';

/** People who share a browser; who was there first is forgotten. */
const PEOPLE_A_BROWSER = 5;
const BROWSERS_AN_ACCOUNT = 50;
const SECRET = /^[\w-]{43}$/;

type Cookies = Pick<Context, 'cookies'>;

/** As its owner sees it. Times are milliseconds since 1970. */
export interface RememberedDevice {
  id: string;
  /** Of this very request. */
  current: boolean;
  userAgent: string | null;
  ip: string | null;
  createdAt: number;
  lastUsedAt: number;
  expiresAt: number;
}

export interface RememberedOptions {
  db: Database;
  store: RememberedStore;
  keyring: Pick<Keyring, 'mac'>;
  audit: Pick<Recorder, 'record'>;
  /** Steps. @throws AppError interaction_expired where what was proved in the flow counts no more. */
  requireHeld(accountId: string, kept: { flow: string }): Steps<void>;
  secureCookies: boolean;
  /** Seconds; 0 switches it off. */
  ttl: number;
}

export function createRemembered(options: RememberedOptions) {
  const { db, store, keyring, audit, requireHeld, secureCookies, ttl } = options;
  const name = secureCookies ? '__Host-latchkey_remembered' : 'latchkey_remembered';
  const settings = { httpOnly: true, sameSite: 'lax', secure: secureCookies, signed: true, path: '/' } as const;
  const macOf = (secret: string) => keyring.mac('code', `remembered device|${secret}`);

  /** The secrets of the cookie, the newest first. */
  function secretsOf(ctx: Cookies): string[] {
    const value = ctx.cookies.get(name, settings) ?? '';
    return value
      .split('.')
      .filter((secret) => SECRET.test(secret))
      .slice(0, PEOPLE_A_BROWSER);
  }

  return {
    /** Whole days for which a browser is remembered, 0 for never: the words beside the choice. */
    days: Math.floor(ttl / 86_400),
    on: ttl > 0,

    /** Whether this browser may skip the account's own second step. */
    async has(ctx: Cookies, accountId: string): Promise<boolean> {
      const secrets = ttl > 0 ? secretsOf(ctx) : [];
      return secrets.length > 0 && (await store.use(accountId, secrets.map(macOf))) !== undefined;
    },

    /** After a second factor was proved in this flow, and its owner wished it. @throws AppError interaction_expired. */
    async remember(ctx: Cookies, accountId: string, flow: string, by: Origin): Promise<void> {
      if (ttl === 0) return;
      const secret = randomBytes(32).toString('base64url');
      const now = Date.now();
      const id = newIdentifier();
      const times = { created_at: now, last_used_at: now, expires_at: now + ttl * 1000 };
      const row = { id, account_id: accountId, mac: macOf(secret), user_agent: by.userAgent, ip: by.ip, ...times };
      await db.write(function* () {
        yield* requireHeld(accountId, { flow });
        yield* store.insert(row);
        yield* store.trim(accountId, BROWSERS_AN_ACCOUNT);
        yield* audit.record({ type: 'device.remembered', account: accountId, by });
      });
      const secrets = [secret, ...secretsOf(ctx)].slice(0, PEOPLE_A_BROWSER);
      ctx.cookies.set(name, secrets.join('.'), { ...settings, overwrite: true, maxAge: ttl * 1000 });
    },

    async list(accountId: string, ctx?: Cookies): Promise<RememberedDevice[]> {
      const here = new Set(ctx ? secretsOf(ctx).map(macOf) : []);
      return (await store.ofAccount(accountId)).map((row) => deviceOf(row, here.has(row.mac)));
    },

    /** @throws AppError not_found. */
    async forget(accountId: string, id: string, by: Origin): Promise<void> {
      await db.write(function* () {
        if ((yield* store.remove(accountId, id)) !== 1) {
          throw new AppError('not_found', { message: 'There is no such remembered device.' });
        }
        yield* audit.record({ type: 'device.forgotten', account: accountId, by, details: { reason: 'revoked' } });
      });
    },

    /** Steps: every browser of the account is asked again. */
    *forgetAll(accountId: string, { reason, by }: { reason: string; by: Origin }): Steps<void> {
      if ((yield* store.removeAll(accountId)) === 0) return;
      yield* audit.record({ type: 'device.forgotten', account: accountId, by, details: { reason } });
    },

    purge: store.purge,
  };
}

export type Remembered = ReturnType<typeof createRemembered>;

function deviceOf(row: RememberedRow, current: boolean): RememberedDevice {
  return {
    id: row.id,
    current,
    userAgent: row.user_agent,
    ip: row.ip,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  };
}
