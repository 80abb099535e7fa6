/**
 * Browsers in which somebody signed in before: a cookie that names accounts by keyed hash only, signed, good for a year.
 * It opens nothing; it keeps strangers' guesses away from the owner (SECURITY D7, "lock-out as a weapon").
 */
import { timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';
import type { Keyring } from '../keyring/keyring.ts';
import { takeRandom } from '../keyring/random.ts';

const DAY_MS = 86_400_000;
const LIFE_DAYS = 365;
/** People who share a browser; who was not there for the longest is forgotten. */
const ACCOUNTS = 10;

type Cookies = Pick<Context, 'cookies'>;

/** The browser that a request comes from. */
export interface Device {
  /** Its id, if it signed in with this canonical address before. */
  known(address: string): string | undefined;
}

/** One that nobody knows: machines have no cookies. */
export const NO_DEVICE: Device = { known: () => undefined };

export interface KnownDevicesOptions {
  keyring: Pick<Keyring, 'mac'>;
  secureCookies: boolean;
}

interface Content {
  id: string;
  /** Keyed hashes of addresses, each with the day of its last sign-in since 1970; the newest first. */
  accounts: Array<{ tag: string; day: number }>;
}

export function createKnownDevices({ keyring, secureCookies }: KnownDevicesOptions) {
  const name = secureCookies ? '__Host-latchkey_device' : 'latchkey_device';
  const today = () => Math.floor(Date.now() / DAY_MS);
  const tagOf = (address: string) => keyring.mac('limits', `device account|${address}`).slice(0, 16);
  const macOf = (text: string) => keyring.mac('limits', `device cookie|${text}`);

  /** What requests brought: limits, the proof and its end all ask. */
  const brought = new WeakMap<Cookies, Content | null>();

  function read(ctx: Cookies): Content | undefined {
    let content = brought.get(ctx);
    if (content === undefined) {
      content = verified(ctx) ?? null;
      brought.set(ctx, content);
    }
    return content ?? undefined;
  }

  function verified(ctx: Cookies): Content | undefined {
    const value = ctx.cookies.get(name) ?? '';
    const dot = value.lastIndexOf('.');
    const [text, mac] = [value.slice(0, dot), Buffer.from(value.slice(dot + 1))];
    const right = Buffer.from(macOf(text));
    if (dot < 0 || mac.length !== right.length || !timingSafeEqual(mac, right)) return undefined;
    const [id = '', ...entries] = text.split('.');
    const accounts = entries.map((entry) => ({ tag: entry.slice(0, 16), day: Number.parseInt(entry.slice(16), 36) }));
    return { id, accounts: accounts.filter(({ day }) => today() - day < LIFE_DAYS) };
  }

  return {
    /** The cookie is read at the first question. */
    of(ctx: Cookies): Device {
      return {
        known(address) {
          const content = read(ctx);
          const tag = tagOf(address);
          return content?.accounts.some((account) => account.tag === tag) ? content.id : undefined;
        },
      };
    },

    /** Its id, when anybody signed in with it before. */
    idOf(ctx: Cookies): string | undefined {
      const content = read(ctx);
      return content && content.accounts.length > 0 ? content.id : undefined;
    },

    /** Somebody signed in with this canonical address. */
    remember(ctx: Cookies, address: string): void {
      const { id, accounts } = read(ctx) ?? { id: takeRandom(16).toString('base64url'), accounts: [] };
      const tag = tagOf(address);
      const others = accounts.filter((account) => account.tag !== tag).slice(0, ACCOUNTS - 1);
      const entries = [{ tag, day: today() }, ...others].map((account) => account.tag + account.day.toString(36));
      const text = [id, ...entries].join('.');
      ctx.cookies.set(name, `${text}.${macOf(text)}`, {
        httpOnly: true,
        sameSite: 'lax',
        secure: secureCookies,
        signed: false,
        path: '/',
        overwrite: true,
        maxAge: LIFE_DAYS * DAY_MS,
      });
    },
  };
}

export type KnownDevices = ReturnType<typeof createKnownDevices>;
