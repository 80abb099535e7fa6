/** The keys that sign tokens: made at the first start, rotated by schedule and by command, followed by every instance
 * that issues. What happens when is in key-states.ts. */
import type { JWK } from 'oidc-provider';
import { type NewEvent, OPERATOR, SYSTEM } from '../audit/events.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import {
  due,
  endOf,
  inOrder,
  isPublished,
  type KeyFacts,
  type KeyRules,
  knownAt,
  pairOf,
  SIGNING_ALGS,
} from './key-states.ts';
import type { KeyStore } from './key-store.ts';
import { newKey, type SigningAlg } from './new-key.ts';

/** How often an instance looks for what others did, in milliseconds. */
const LOOK_MS = 500;
/** By then every instance has looked, also a busy one. */
const LOOKED_MS = 3 * LOOK_MS;

export interface KeySet {
  /** Differs whenever anything else in here does. */
  version: string;
  /** Private JWKs (RFC 7517) for the protocol core: the first of an algorithm signs, all verify. */
  signing: { keys: JWK[] };
  /** What clients fetch. */
  published: { keys: JWK[] };
}

export interface Rotated {
  alg: SigningAlg;
  /** The key that signs now. */
  kid: string;
  /** Its predecessor: still published, or gone at once. */
  retired: string | null;
  dropped: string[];
  cause: 'schedule' | 'command' | 'emergency';
}

export interface KeyEntry extends KeyFacts {
  published: boolean;
  /** When a retired key is destroyed. */
  endsAt: number | null;
}

export interface KeysOptions {
  store: KeyStore;
  rules: KeyRules;
  /** Steps of the unit of work that rotates. */
  record(facts: Rotated): Steps<void>;
  /** Hears of it when it is done. */
  onRotated(facts: Rotated): void;
  /** The keys could not be looked at; the next look tries again. Told once for a row of failures. */
  onError(error: unknown): void;
}

export function createKeys({ store, rules, record, onRotated, onError }: KeysOptions) {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let stopped = false;
  /** Looks after every look under way; nothing while nobody follows. */
  let lookNow = async () => {};

  /** The keys as they are; those of the first start are made here. */
  async function current(): Promise<KeySet> {
    let keys = await store.all(rules.tokenLife);
    const missing = SIGNING_ALGS.filter((alg) => !pairOf(alg, keys).active);
    if (missing.length > 0) {
      await Promise.all(missing.map(async (alg) => store.add(await newKey(alg), 'active')));
      keys = await store.all(rules.tokenLife);
    }
    const now = Date.now();
    const ordered = inOrder(keys);
    const published = ordered.filter((key) => isPublished(key, rules, now));
    return {
      version: versionOf(keys, now),
      signing: { keys: ordered.map((key) => jwkOf(key, key.privateJwk)) },
      published: { keys: published.map((key) => jwkOf(key, key.publicJwk)) },
    };
  }

  function versionOf(keys: KeyFacts[], now: number): string {
    return inOrder(keys)
      .map((key) => `${key.kid} ${key.state} ${isPublished(key, rules, now)}`)
      .join();
  }

  async function catchUp(keys: KeyFacts[]): Promise<void> {
    for (const task of due(keys, rules, Date.now())) {
      if (task.what === 'make') await store.add(await newKey(task.alg), 'next');
      else if (task.what === 'destroy') await store.destroy(task.kid);
      else {
        const facts: Rotated = { alg: task.alg, kid: task.next, retired: task.active, dropped: [], cause: 'schedule' };
        if (await store.activate([task], () => record(facts))) onRotated(facts);
      }
    }
  }

  /** Whatever instance signs, and whatever instance is asked for the key set: the one knows the key of the other. */
  async function replace(algs: readonly SigningAlg[]): Promise<Rotated[]> {
    await current();
    const before = await store.facts();
    const keys = await Promise.all(algs.map(newKey));
    if (!(await store.announce(keys))) throw meanwhile();
    await everybodyLooked();
    const done = keys.map(({ alg, kid }): Rotated => {
      const dropped = before.filter((key) => key.alg === alg).map((key) => key.kid);
      return { alg, kid, retired: null, dropped, cause: 'emergency' };
    });
    const pairs = keys.map(({ alg, kid }) => ({ active: pairOf(alg, before).active?.kid as string, next: kid }));
    const activating = store.activate(pairs, function* () {
      for (const facts of done) yield* record(facts);
    });
    const activated = await activating.finally(() => store.withdraw(keys));
    if (!activated) throw meanwhile();
    await everybodyLooked();
    for (const kid of done.flatMap(({ dropped }) => dropped)) await store.destroy(kid);
    return done;
  }

  async function everybodyLooked(): Promise<void> {
    await lookNow();
    await new Promise((resolve) => setTimeout(resolve, LOOKED_MS));
  }

  async function advance(algs: readonly SigningAlg[]): Promise<Rotated[]> {
    await current();
    for (const alg of await withoutNext(algs)) await store.add(await newKey(alg), 'next');
    const keys = await store.facts();
    const pairs = algs.map((alg) => pairOf(alg, keys) as { active: KeyFacts; next: KeyFacts });
    const ready = Math.max(...pairs.map(({ next }) => knownAt(next)));
    if (ready > Date.now()) throw tooEarly(ready);
    const done: Rotated[] = [];
    for (const { active, next } of pairs) {
      const facts: Rotated = { alg: next.alg, kid: next.kid, retired: active.kid, dropped: [], cause: 'command' };
      if (!(await store.activate([{ active: active.kid, next: next.kid }], () => record(facts)))) throw meanwhile();
      done.push(facts);
    }
    return done;
  }

  async function withoutNext(algs: readonly SigningAlg[]): Promise<SigningAlg[]> {
    const keys = await store.facts();
    return algs.filter((alg) => !pairOf(alg, keys).next);
  }

  return {
    current,

    /** Those that sign first. */
    async list(): Promise<KeyEntry[]> {
      const now = Date.now();
      return inOrder(await store.facts()).map((key) => ({
        ...key,
        published: isPublished(key, rules, now),
        endsAt: endOf(key, rules),
      }));
    },

    /**
     * The next key signs from now on. With `now` every key of the algorithm is replaced by a new one and leaves the key
     * set: tokens that it signed verify nowhere any more. That takes some seconds: first every instance publishes the
     * new key, then every instance signs with it, then the others go. Killed before its end, it has to be run again.
     * @throws AppError conflict when caches may not know the next key yet, or somebody else rotates.
     */
    async rotate({ alg, now = false }: { alg?: SigningAlg | undefined; now?: boolean }): Promise<Rotated[]> {
      const algs = alg ? [alg] : SIGNING_ALGS;
      try {
        const done = await (now ? replace(algs) : advance(algs));
        for (const facts of done) onRotated(facts);
        return done;
      } finally {
        await lookNow();
      }
    },

    /**
     * Resolves with the keys, keeps to the schedule from now on, and calls back within a second with every set
     * that differs, whoever changed it.
     */
    async follow(onChange: (set: KeySet) => void): Promise<KeySet> {
      const first = await current();
      let { version } = first;
      let failing = false;
      const look = async () => {
        try {
          await catchUp(await store.facts());
          if (versionOf(await store.facts(), Date.now()) !== version) {
            const set = await current();
            onChange(set);
            version = set.version;
          }
          failing = false;
        } catch (error) {
          if (!failing) onError(error);
          failing = true;
        }
      };
      lookNow = () => {
        clearTimeout(timer);
        looking = looking.then(look).then(schedule);
        return looking;
      };
      const schedule = () => {
        if (stopped) return;
        timer = setTimeout(lookNow, LOOK_MS);
        timer.unref();
      };
      schedule();
      return first;
    },

    /** Resolves when nothing of this is under way. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

export type Keys = ReturnType<typeof createKeys>;

/** For the record. */
export function rotationEvent({ cause, ...key }: Rotated): NewEvent {
  return { type: 'key.rotated', by: cause === 'schedule' ? SYSTEM : OPERATOR, details: { cause, ...key } };
}

function jwkOf({ kid, alg }: KeyFacts, jwk: JWK): JWK {
  return { ...jwk, kid, alg, use: 'sig' } as JWK;
}

function tooEarly(ready: number): AppError {
  const at = `${new Date(ready).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return new AppError('conflict', {
    message: `The next key was published a short time ago, and clients that keep the key set may not know it before ${at}. Nothing was changed: run this again then. If a key is in wrong hands, --now does not wait.`,
  });
}

function meanwhile(): AppError {
  return new AppError('conflict', {
    message: 'Somebody else has changed the keys at this moment. Look at them (latchkey keys list) and decide again.',
  });
}
