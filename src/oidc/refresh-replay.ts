/**
 * A spent refresh token that its own caller repeats within the window gets the same answer again: two tabs, two server
 * components or a lost response sign nobody out, and there is never a second living successor. Another caller or a
 * later repetition is theft: the grant dies (RFC 9700 section 4.14.2, FAPI 2.0 section 5.3.2.1 note 1).
 */
import { createHash } from 'node:crypto';
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { type ModelRows, PARALLEL_MS } from './adapter.ts';
import { MACHINE_PATHS, ROUTES } from './provider.ts';
import type { Refuse } from './refusal.ts';

/** How long a loser of a race waits for the winner's answer, which an older version stores after the spent mark. */
const PATIENCE_MS = 2000;
const POLL_MS = 40;
/** Seconds. */
const WINDOW = { confidential: 60, public: 10 };
/** Behind the window an honest repeat is refused, and no thief's yet: the clocks of instances differ. */
const TOLERANCE_MS = 1000;
/** Younger answers are given again to the letter. */
const AGED_MS = 5000;

interface Token {
  grantId: string;
  clientId: string;
  jkt?: string;
  /** Seconds since 1970. */
  exp?: number;
  /** Milliseconds since 1970. */
  consumedAt?: number;
}

export interface RefreshReplayOptions {
  rows: ModelRows;
  records: {
    save(spent: { token: string; grantId: string; answer: unknown; expiresAt: number }): Promise<void>;
    find(token: string): Promise<Record<string, unknown> | undefined>;
  };
  /** Ends what the stolen token belongs to, with the record of it. */
  endGrant(grantId: string): Promise<void>;
  /** `race`: answered again; `theft`: the grant was ended. */
  onRepeat(kind: 'race' | 'theft', facts: { clientId: string; grantId: string }, ctx: KoaContextWithOIDC): void;
  refuse: Refuse;
  /** When a request came, in milliseconds since 1970: what it waits for on a busy machine makes it no thief's. */
  arrivedAt(req: KoaContextWithOIDC['req']): number;
}

interface ReplayState {
  refreshRepeat?: 'race' | 'theft';
  refreshAnswer?: Record<string, unknown>;
  /** The spent token that this request exchanges, if nobody else did. */
  refreshWon?: string | undefined;
}

export function createRefreshReplay({ rows, records, endGrant, onRepeat, refuse, arrivedAt }: RefreshReplayOptions) {
  async function answerOf(token: string): Promise<Record<string, unknown> | undefined> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const answer = await records.find(token);
      if (answer || performance.now() >= deadline) return answer;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  const refreshing = (): KoaContextWithOIDC | undefined => {
    const ctx = Provider.ctx;
    return ctx?.oidc?.route === 'token' && ctx.oidc.params?.['grant_type'] === 'refresh_token' ? ctx : undefined;
  };
  const stateOf = (ctx: KoaContextWithOIDC) => ctx.state as ReplayState;

  const guarded: ModelRows = {
    ...rows,

    async find(id, onGrant) {
      const found = (await rows.find(id, onGrant)) as Token | undefined;
      if (found?.consumedAt === undefined) return found;
      const { consumedAt, ...kept } = found;
      const token = { ...kept, consumed: Math.floor(consumedAt / 1000) };
      const ctx = refreshing();
      if (!ctx) return token;
      const facts = { clientId: token.clientId, grantId: token.grantId };
      if (token.exp !== undefined && token.exp <= Math.floor(Date.now() / 1000)) return token;
      const age = Math.max(0, arrivedAt(ctx.req) - consumedAt);
      const same = sameCaller(ctx, token);
      const windowMs = replayWindow(ctx) * 1000;
      const late = age >= windowMs;
      if (same && late && age < Math.max(PARALLEL_MS, windowMs + TOLERANCE_MS)) {
        throw new errors.InvalidGrant(spent(true));
      }
      if (!same || late) {
        await endGrant(token.grantId);
        stateOf(ctx).refreshRepeat = 'theft';
        onRepeat('theft', facts, ctx);
        return undefined;
      }
      const answer = await answerOf(id);
      if (!answer) throw new errors.InvalidGrant('refresh token was used already and its answer is lost');
      stateOf(ctx).refreshAnswer = aged(answer, age);
      onRepeat('race', facts, ctx);
      throw new errors.InvalidGrant('answered again');
    },

    async claim(id, lost) {
      await rows.claim?.(id, lost);
      const ctx = refreshing();
      if (ctx) stateOf(ctx).refreshWon = id;
    },
  };

  /** Around the token endpoint: gives the answer to who repeats, and has the winner's stored with its tokens. */
  const middleware = (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> =>
    ctx.path !== ROUTES.token && MACHINE_PATHS.has(ctx.path) ? next() : answerOnce(ctx, next);

  async function answerOnce(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    const state = stateOf(ctx);
    await next();
    if (state.refreshAnswer) answer(ctx, state.refreshAnswer);
    else if (state.refreshWon && ctx.status === 200) await record(ctx, state.refreshWon);
  }

  function answer(ctx: KoaContextWithOIDC, same: Record<string, unknown>): void {
    stateOf(ctx).refreshAnswer = same;
    ctx.status = 200;
    ctx.body = same;
  }

  async function record(ctx: KoaContextWithOIDC, token: string): Promise<void> {
    const seconds = replayWindow(ctx);
    const grantId = ctx.oidc.entities.Grant?.jti;
    if (seconds === 0 || !grantId) return;
    // Somebody may come at the window's end and wait before it is looked for.
    const expiresAt = Date.now() + seconds * 1000 + PATIENCE_MS;
    await records.save({ token, grantId, answer: ctx.body, expiresAt });
  }

  /** Nothing of this request was stored: another one with the same refresh token, or the same code, was first. */
  async function overtaken(ctx: KoaContextWithOIDC, refusal: errors.OIDCProviderError): Promise<void> {
    const state = stateOf(ctx);
    const token = state.refreshWon;
    state.refreshWon = undefined;
    const same = token !== undefined && replayWindow(ctx) > 0 ? await answerOf(token) : undefined;
    if (!same) {
      return refuse(ctx, { status: refusal.statusCode, error: refusal.error, description: spent(token !== undefined) });
    }
    answer(ctx, same);
    const { clientId, grantId } = ctx.oidc.entities.RotatedRefreshToken as unknown as Token;
    onRepeat('race', { clientId, grantId }, ctx);
  }

  return { rows: guarded, middleware, overtaken };
}

/**
 * Lifetimes count from the answer that says them (RFC 6749 section 5.1): nothing else of it changes, and for parallel
 * requests not even that. Never 0, which some clients read as no end.
 */
function aged(answer: Record<string, unknown>, ageMs: number): Record<string, unknown> {
  const { expires_in: life } = answer;
  if (typeof life !== 'number' || ageMs < AGED_MS) return answer;
  return { ...answer, expires_in: Math.max(1, life - Math.floor(ageMs / 1000)) };
}

const spent = (refresh: boolean) => `the ${refresh ? 'refresh token' : 'code'} was used already`;

/** `ok`: answered without a new refresh token; `replayed`: the same answer again; `stolen`: the grant was ended. */
export type RefreshOutcome = 'ok' | 'rotated' | 'replayed' | 'stolen' | 'refused';

/** How a refresh ended, asked when it has been answered. */
export function refreshOutcome(ctx: KoaContextWithOIDC): RefreshOutcome {
  const { refreshAnswer, refreshWon, refreshRepeat } = ctx.state as ReplayState;
  if (refreshRepeat === 'theft') return 'stolen';
  if (ctx.status !== 200) return 'refused';
  if (refreshAnswer) return 'replayed';
  return refreshWon ? 'rotated' : 'ok';
}

/** Seconds; the client's own setting, or the default of its kind. */
function replayWindow(ctx: KoaContextWithOIDC): number {
  const own = ctx.oidc.client?.['refresh_replay_window'];
  if (typeof own === 'number') return own;
  return ctx.oidc.client?.clientAuthMethod === 'none' ? WINDOW.public : WINDOW.confidential;
}

/** The client was authenticated by now; a bound token needs the same key, whose proof the core has checked. */
function sameCaller(ctx: KoaContextWithOIDC, token: Pick<Token, 'clientId' | 'jkt'>): boolean {
  if (ctx.oidc.client?.clientId !== token.clientId) return false;
  return token.jkt === undefined || token.jkt === thumbprintOfProof(ctx.get('DPoP'));
}

/** RFC 7638 of the proof's key (RFC 9449 section 4.2). */
function thumbprintOfProof(proof: string): string | undefined {
  try {
    const { jwk } = JSON.parse(Buffer.from(proof.split('.')[0] as string, 'base64url').toString());
    const names = { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'], RSA: ['e', 'kty', 'n'] }[jwk.kty as 'EC'];
    const members = Object.fromEntries((names ?? []).map((name) => [name, jwk[name]]));
    return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
  } catch {
    return undefined;
  }
}
