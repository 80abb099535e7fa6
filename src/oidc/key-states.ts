/**
 * The life of a signing key: next, active, retired, destroyed. Each algorithm has one active key, which signs, and one
 * next key, which everybody can fetch long before it signs (SECURITY D5). Pure rules; all times in milliseconds.
 */
import type { Lifetimes } from './lifetimes.ts';
import type { SigningAlg } from './new-key.ts';

/** In the order of the key set: some clients take the first key. */
export const SIGNING_ALGS: readonly SigningAlg[] = ['RS256', 'ES256', 'EdDSA'];
const STATES = ['active', 'next', 'retired'] as const;

/** Seconds; the `max-age` of the key set. */
export const CACHE_LIFE = 900;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** What other instances, their clocks and the network may lag behind. */
const LAG = MINUTE;
/** A schedule is never in a hurry: it waits for caches that keep a key set longer than they are told. */
const PUBLISHED_AHEAD = 24 * HOUR;
/** A start or a rotation is over by then; making an RSA key is not part of it. */
const SETTLED = MINUTE;
/** A retired key stays this long after its last token. */
const MARGIN = HOUR;

export interface KeyFacts {
  kid: string;
  alg: SigningAlg;
  state: (typeof STATES)[number];
  createdAt: number;
  activatedAt: number | null;
  retiredAt: number | null;
  /** Life of the longest token that it may have signed, as far as an instance has noted it: settings change. */
  tokenLife: number | null;
}

export interface KeyRules {
  /** How long a key signs; 0: until somebody rotates. */
  period: number;
  /** Life of the longest token that a key signs. */
  tokenLife: number;
  /** How long an ID token may come back as `id_token_hint` after it was issued. */
  hintLife: number;
}

/** From lifetimes in seconds. */
export function keyRules(
  rotation: number,
  lifetimes: Lifetimes,
  resources: Array<{ accessTokenTtl: number }>,
): KeyRules {
  const { accessToken, idToken, session, refreshToken } = lifetimes;
  return {
    period: rotation * 1000,
    tokenLife: Math.max(accessToken, idToken, ...resources.map(({ accessTokenTtl }) => accessTokenTtl)) * 1000,
    hintLife: Math.max(session.absolute, refreshToken.absolute) * 1000,
  };
}

/** When every cache that obeys `max-age` knows the key. */
export function knownAt(key: KeyFacts): number {
  return key.createdAt + CACHE_LIFE * 1000 + LAG;
}

const lastToken = (key: KeyFacts, rules: KeyRules) => Math.max(rules.tokenLife, key.tokenLife ?? 0);

/** A retired key leaves the key set with its last token. We go on knowing it, for hints of expired ID tokens. */
export function isPublished(key: KeyFacts, rules: KeyRules, now: number): boolean {
  return key.retiredAt === null || now < key.retiredAt + lastToken(key, rules) + MARGIN;
}

/** When a retired key is destroyed. */
export function endOf(key: KeyFacts, rules: KeyRules): number | null {
  return key.retiredAt === null ? null : key.retiredAt + Math.max(lastToken(key, rules), rules.hintLife) + MARGIN;
}

/** Those that sign first, then those that will, then those that did. */
export function inOrder<Key extends KeyFacts>(keys: Key[]): Key[] {
  const rank = (key: Key) => STATES.indexOf(key.state) * SIGNING_ALGS.length + SIGNING_ALGS.indexOf(key.alg);
  return keys.toSorted((a, b) => rank(a) - rank(b) || b.createdAt - a.createdAt);
}

export type Due =
  | { what: 'make'; alg: SigningAlg }
  | { what: 'rotate'; alg: SigningAlg; active: string; next: string }
  | { what: 'destroy'; kid: string };

/** What has to happen by now, whoever does it. */
export function due(keys: KeyFacts[], rules: KeyRules, now: number): Due[] {
  const ended = keys.filter((key) => (endOf(key, rules) ?? now + 1) <= now);
  return [
    ...SIGNING_ALGS.flatMap((alg) => dueOf(alg, keys, rules, now)),
    ...ended.map(({ kid }) => ({ what: 'destroy', kid }) as const),
  ];
}

function dueOf(alg: SigningAlg, keys: KeyFacts[], { period }: KeyRules, now: number): Due[] {
  const { active, next } = pairOf(alg, keys);
  if (!active) return [];
  const activatedAt = active.activatedAt ?? active.createdAt;
  if (!next) return activatedAt + SETTLED <= now ? [{ what: 'make', alg }] : [];
  const over = period > 0 && activatedAt + period <= now;
  if (!over || next.createdAt + PUBLISHED_AHEAD > now) return [];
  return [{ what: 'rotate', alg, active: active.kid, next: next.kid }];
}

export function pairOf<Key extends KeyFacts>(alg: SigningAlg, keys: Key[]) {
  const of = (state: KeyFacts['state']) => keys.find((key) => key.alg === alg && key.state === state);
  return { active: of('active'), next: of('next') };
}
