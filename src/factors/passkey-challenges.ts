/**
 * Challenges of passkey ceremonies: 256 random bits that this service gave out, for one purpose, to one sign-in or
 * session, redeemed once and within five minutes (WebAuthn section 13.4.3).
 */
import { randomBytes } from 'node:crypto';
import type { Artifacts } from '../artifacts/artifacts.ts';

const KIND = 'PasskeyChallenge';
export const CHALLENGE_MS = 5 * 60_000;

export interface ChallengeUse {
  purpose: 'sign-in' | 'second-step' | 'add';
  /** To whom it was given: `flow:UID` or `session:UID`. */
  bound: string;
  /** For whom, where that is known. */
  accountId?: string | undefined;
}

export function createPasskeyChallenges({ artifacts }: { artifacts: Artifacts }) {
  return {
    async issue({ purpose, bound, accountId = '' }: ChallengeUse): Promise<string> {
      const challenge = randomBytes(32).toString('base64url');
      const until = Date.now() + CHALLENGE_MS;
      await artifacts.upsert(KIND, challenge, { purpose, bound, accountId, until }, until, {});
      return challenge;
    },

    /** True for exactly one caller who names what the challenge was given for. */
    async redeem(challenge: string, { purpose, bound, accountId = '' }: ChallengeUse): Promise<boolean> {
      const found = await artifacts.find(KIND, challenge);
      if (!found || found.consumedAt !== undefined) return false;
      const { payload } = found;
      const fits = payload['purpose'] === purpose && payload['bound'] === bound && payload['accountId'] === accountId;
      if (!fits || Number(payload['until']) < Date.now()) return false;
      return artifacts.consume(KIND, challenge);
    },
  };
}

export type PasskeyChallenges = ReturnType<typeof createPasskeyChallenges>;
