/**
 * Bounds how often the secret of a client and the user code of a device may be guessed, where the protocol core
 * compares them (draft-ietf-oauth-v2-1 section 2.4.1, RFC 8628 section 5.1; SECURITY P26, P40).
 */
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { AppError } from '../errors.ts';
import { createCountedTries, createFailures } from '../limits/guesses.ts';
import { sourceOf } from '../limits/sources.ts';
import type { SqlWindows } from '../limits/window-store.ts';
import { orUnavailable } from './unavailable.ts';

const MINUTE_MS = 60_000;
/** Wrong user codes in a quarter of an hour: few by one browser, more by all behind one address. */
const USER_CODES = { session: 5, source: 20, durationMs: 15 * MINUTE_MS };

/** The core's answer with status 429. */
export class TooManyRequests extends errors.CustomOIDCProviderError {
  constructor(description: string) {
    super('temporarily_unavailable', description);
    this.status = 429;
    this.statusCode = 429;
  }
}

/** The name is known to the page on which user codes are typed. */
export class TooManyGuesses extends TooManyRequests {
  constructor(retryAfter: number) {
    super(`too many wrong attempts: nothing is checked for ${retryAfter} seconds`);
  }
}

export interface GuessesOptions {
  windows: SqlWindows;
  rules: {
    /** Wrong secrets of one client from one source in a minute. */
    secretsPerMinute: number;
    /** Ids of no client from one source in a minute. */
    unknownClientsPerMinute: number;
  };
  addressOf(req: KoaContextWithOIDC['req']): string;
  /** So many wrong secrets came that no more are checked: once a minute for a client and a source. */
  onClosed(ctx: KoaContextWithOIDC, facts: { client: string; attempts: number }): Promise<void>;
  /** What is no client's and no person's was refused. */
  onLimited(limit: 'unknown_client' | 'user_code', ctx: KoaContextWithOIDC, durationMs: number): void;
}

interface Models {
  Client: {
    prototype: { clientId: string; compareClientSecret(actual: string): boolean };
    find(id: string): Promise<object | undefined>;
  };
  DeviceCode: { findByUserCode(code: string, options?: object): Promise<object | undefined> };
}

/** @returns what is to be called with each core: the counts go on when keys rotate. */
export function createGuessLimits(options: GuessesOptions): (core: Provider) => void {
  const { windows, rules, addressOf, onClosed, onLimited } = options;
  const secrets = createFailures({ windows, max: rules.secretsPerMinute, durationMs: MINUTE_MS });
  const names = createFailures({ windows, max: rules.unknownClientsPerMinute, durationMs: MINUTE_MS });
  const attempt = createCountedTries({ hit: orUnavailable(windows.hit), takeBack: orUnavailable(windows.takeBack) });
  const wrongSecret = orUnavailable(secrets.failed);
  const wrongName = orUnavailable(names.failed);

  return (core) => {
    const { Client, DeviceCode } = core as unknown as Models;
    const compare = Client.prototype.compareClientSecret;
    const find = DeviceCode.findByUserCode.bind(DeviceCode);
    const findClient = Client.find.bind(Client);

    Client.prototype.compareClientSecret = async function compareClientSecret(
      this: { clientId: string },
      actual: string,
    ) {
      const ctx = Provider.ctx as KoaContextWithOIDC;
      const key = `client-secret:${this.clientId}:${sourceOf(addressOf(ctx.req))}`;
      // No turn passes between the check, the comparison and the count: parallel guesses stand in line.
      try {
        secrets.check(key);
      } catch (error) {
        throw refusal(ctx, error);
      }
      const right = compare.call(this as never, actual);
      if (!right && (await wrongSecret(key)) === rules.secretsPerMinute)
        await onClosed(ctx, { client: this.clientId, attempts: rules.secretsPerMinute });
      return right;
    } as never;

    Client.find = async (id) => {
      const client = await findClient(id);
      // Pages ask it, too, outside of a request to the protocol, for clients that they know.
      const ctx = Provider.ctx as KoaContextWithOIDC | undefined;
      if (client || !ctx) return client;
      const key = `unknown-client:${sourceOf(addressOf(ctx.req))}`;
      try {
        names.check(key);
      } catch (error) {
        onLimited('unknown_client', ctx, MINUTE_MS);
        throw refusal(ctx, error);
      }
      await wrongName(key);
      return undefined;
    };

    DeviceCode.findByUserCode = async (code, options) => {
      const ctx = Provider.ctx as KoaContextWithOIDC;
      const limits = [
        { key: `user-code:session:${ctx.oidc.session?.uid}`, max: USER_CODES.session },
        { key: `user-code:source:${sourceOf(addressOf(ctx.req))}`, max: USER_CODES.source },
      ];
      const look = () => find(code, options);
      return attempt({ limits, durationMs: USER_CODES.durationMs }, look).catch((error) => {
        const refused = refusal(ctx, error);
        if (refused instanceof TooManyGuesses) onLimited('user_code', ctx, USER_CODES.durationMs);
        throw refused;
      });
    };
  };
}

/** What was too often in the core's own words, with the time to wait; anything else as it is. */
function refusal(ctx: KoaContextWithOIDC, error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'too_many_attempts') return error;
  const seconds = error.retryAfter ?? 1;
  ctx.set({ 'Retry-After': String(seconds), ...error.headers });
  return new TooManyGuesses(seconds);
}
