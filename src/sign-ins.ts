/** The parts around a sign-in, put together: by mail, what browsers remember, what people are told, "this wasn't me". */
import { createChallengeStore } from './accounts/challenge-store.ts';
import { createDisowning, type DisowningOptions } from './accounts/disowning.ts';
import { createMailedSignIn, type MailedSignInOptions } from './accounts/mailed-sign-in.ts';
import { createSignInNotices, type SignInNoticesOptions } from './accounts/sign-in-notices.ts';
import { createAccountStore } from './accounts/store.ts';
import type { Settings } from './config/settings.ts';
import type { Steps } from './db/statement.ts';
import { createRemembered, type RememberedOptions } from './factors/remembered.ts';
import { createRememberedStore } from './factors/remembered-store.ts';
import { createStepStore } from './factors/step-store.ts';
import type { Kept } from './sessions/endings.ts';
import { createRequireHeld } from './sessions/held.ts';
import { NOWHERE, openPlaces } from './sessions/places.ts';
import type { Sessions } from './sessions/sessions.ts';

type Ending = Sessions['ending'];
type Stop = (accountId: string, cause: Parameters<Ending>[1]) => Steps<unknown>;

/**
 * Whatever ends the sessions of an account ends sign-ins that are not finished: who is half-way in must not go on. What
 * changes how it is entered also ends what its browsers remember, and stops what waits to remove its factors.
 */
export function createMemory(
  { settings, ...given }: Pick<RememberedOptions, 'db' | 'keyring' | 'audit'> & { settings: Settings },
  ending: Ending,
  stop: Stop,
) {
  const { secureCookies, factors } = settings;
  const store = createRememberedStore(given.db);
  const accounts = createAccountStore(given.db);
  const codes = createChallengeStore(given.db);
  const steps = createStepStore(given.db);
  const requireHeld = createRequireHeld(steps.holds);
  const remembered = createRemembered({ ...given, store, requireHeld, secureCookies, ttl: factors.rememberedTtl });

  function* endUnfinished(accountId: string, kept?: Kept): Steps<void> {
    yield* requireHeld(accountId, kept);
    yield* accounts.signedOut(accountId);
    yield* steps.endAll(accountId, kept?.flow);
    yield* codes.endCodes(accountId, ['signin', 'verify_email', 'reset']);
    // Bound to a session, which may be the one that is kept.
    if (kept?.session === undefined && kept?.grant === undefined) yield* codes.endCodes(accountId, ['change_email']);
  }

  const endSessions: Ending = function* (accountId, cause, kept) {
    yield* endUnfinished(accountId, kept);
    yield* remembered.forgetAll(accountId, cause);
    yield* stop(accountId, cause);
    return yield* ending(accountId, cause, kept);
  };
  return { remembered, requireHeld, endUnfinished, endSessions };
}

type SignInsOptions = MailedSignInOptions & DisowningOptions & Omit<SignInNoticesOptions, 'placeOf'>;

/** @throws PlacesFault. */
export function createSignIns(options: SignInsOptions, settings: Settings) {
  const places = settings.geoipFile ? openPlaces(settings.geoipFile) : NOWHERE;
  return {
    mailedSignIn: createMailedSignIn(options),
    disowning: createDisowning(options),
    notices: createSignInNotices({ ...options, placeOf: places.of }),
    places,
  };
}
