/**
 * The two ceremonies of WebAuthn (sections 7.1 and 7.2), checked by @simplewebauthn/server: challenge, origin, relying
 * party, presence, verification, signature. Knows no account and stores nothing but challenges.
 */
import type {
  AuthenticatorTransport,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import { CHALLENGE_MS, type ChallengeUse, type PasskeyChallenges } from './passkey-challenges.ts';
import type { AssertionResponse, RegistrationResponse } from './passkey-response.ts';
import type { Passkey } from './passkey-store.ts';

export interface RelyingParty {
  /** The domain that passkeys are made for. */
  id: string;
  name: string;
  /** Where ceremonies may happen. */
  origins: string[];
}

export interface CeremoniesOptions {
  rp: RelyingParty;
  challenges: PasskeyChallenges;
}

/** What a passkey said of itself, checked. */
export interface Assertion {
  userVerified: boolean;
  counter: number;
  backupEligible: boolean;
  backedUp: boolean;
}

/** Why a ceremony is refused; for the record, never for whoever asks. */
export class CeremonyRefused extends Error {
  readonly reason: 'challenge' | 'answer';
  constructor(reason: CeremonyRefused['reason'], options?: ErrorOptions) {
    super(`a passkey ceremony is refused: ${reason}`, options);
    this.reason = reason;
  }
}

/** EdDSA, ES256, RS256 (COSE): what authenticators have and Node checks without calling it an experiment. */
const ALGORITHMS = [-8, -7, -257];

/** At the first ceremony: a start does not wait for its parsers of certificates. */
const library = () => import('@simplewebauthn/server');

export function createCeremonies({ rp, challenges }: CeremoniesOptions) {
  /** Whoever answers names the challenge; that it was ours, for this, and is new, decides the store. */
  async function challengeOf(clientDataJSON: string, use: ChallengeUse): Promise<string> {
    const { challenge, crossOrigin } = clientData(clientDataJSON);
    if (typeof challenge !== 'string' || !(await challenges.redeem(challenge, use)))
      throw new CeremonyRefused('challenge');
    // Our pages stand in nobody's frame.
    if (crossOrigin === true) throw new CeremonyRefused('answer');
    return challenge;
  }

  return {
    /** @param user the handle, and what account pickers show. */
    async registrationOptions(
      use: ChallengeUse,
      user: { handle: string; email: string; name: string | null },
      existing: Passkey[],
    ): Promise<PublicKeyCredentialCreationOptionsJSON> {
      const { generateRegistrationOptions } = await library();
      return generateRegistrationOptions({
        rpName: rp.name,
        rpID: rp.id,
        userID: new Uint8Array(Buffer.from(user.handle, 'base64url')),
        userName: user.email,
        userDisplayName: user.name ?? user.email,
        challenge: bytesOf(await challenges.issue(use)),
        timeout: CHALLENGE_MS,
        attestationType: 'none',
        supportedAlgorithmIDs: ALGORITHMS,
        excludeCredentials: existing.map(descriptor),
        // A passkey that can't be found without a name, or asks for no finger and no PIN, could not sign in by itself.
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      });
    },

    /** @throws CeremonyRefused. */
    async register(response: RegistrationResponse, use: ChallengeUse) {
      const expectedChallenge = await challengeOf(response.response.clientDataJSON, use);
      const { verifyRegistrationResponse } = await library();
      const { verified, registrationInfo } = await refused(() =>
        verifyRegistrationResponse({
          response: response as never,
          expectedChallenge,
          expectedOrigin: rp.origins,
          expectedRPID: rp.id,
          requireUserVerification: true,
          supportedAlgorithmIDs: ALGORITHMS,
        }),
      );
      if (!verified || !registrationInfo) throw new CeremonyRefused('answer');
      const { credential, aaguid, credentialDeviceType, credentialBackedUp } = registrationInfo;
      if (credential.id !== response.id) throw new CeremonyRefused('answer');
      return {
        credentialId: credential.id,
        publicKey: Buffer.from(credential.publicKey).toString('base64url'),
        counter: credential.counter,
        aaguid,
        transports: response.response.transports,
        backupEligible: credentialDeviceType === 'multiDevice',
        backedUp: credentialBackedUp,
      };
    },

    /** @param allow the passkeys that may answer; any of this relying party where left out. */
    async assertionOptions(use: ChallengeUse, allow?: Passkey[]): Promise<PublicKeyCredentialRequestOptionsJSON> {
      const { generateAuthenticationOptions } = await library();
      return generateAuthenticationOptions({
        rpID: rp.id,
        challenge: bytesOf(await challenges.issue(use)),
        timeout: CHALLENGE_MS,
        userVerification: 'required',
        ...(allow ? { allowCredentials: allow.map(descriptor) } : {}),
      });
    },

    /** Spends the challenge of an answer, before anybody looks at the rest. @throws CeremonyRefused. */
    spend: (response: AssertionResponse, use: ChallengeUse) => challengeOf(response.response.clientDataJSON, use),

    /** The counter is for the caller to judge: here it would be judged before the signature. @throws CeremonyRefused. */
    async assert(response: AssertionResponse, expectedChallenge: string, passkey: Passkey): Promise<Assertion> {
      const { verifyAuthenticationResponse } = await library();
      const publicKey = new Uint8Array(Buffer.from(passkey.publicKey, 'base64url'));
      const { verified, authenticationInfo } = await refused(() =>
        verifyAuthenticationResponse({
          response: response as never,
          expectedChallenge,
          expectedOrigin: rp.origins,
          expectedRPID: rp.id,
          credential: { id: passkey.credentialId, publicKey, counter: 0 },
          requireUserVerification: true,
        }),
      );
      if (!verified) throw new CeremonyRefused('answer');
      const { userVerified, newCounter, credentialDeviceType, credentialBackedUp } = authenticationInfo;
      return {
        userVerified,
        counter: newCounter,
        backupEligible: credentialDeviceType === 'multiDevice',
        backedUp: credentialBackedUp,
      };
    },
  };
}

export type Ceremonies = ReturnType<typeof createCeremonies>;

/** The library throws an Error of its own for each thing that is wrong. */
async function refused<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new CeremonyRefused('answer', { cause });
  }
}

function clientData(encoded: string): { challenge?: unknown; crossOrigin?: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** The library takes bytes: a text would be encoded once more. */
function bytesOf(challenge: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(challenge, 'base64url'));
}

function descriptor({ credentialId, transports }: Passkey) {
  return { id: credentialId, transports: transports as AuthenticatorTransport[] };
}
