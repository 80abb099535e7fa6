/**
 * One-time codes by mail: bound to their purpose, flow and address, counted before they are compared, consumed once
 * (SECURITY D1). Strangers who ask for codes or guess at them take nothing from the owner's known devices.
 * A decoy (no account may come of it) is stored, limited and answered like a real one and never matches.
 */
import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { newIdentifier } from '../artifacts/identifier.ts';
import type { Recorder } from '../audit/audit.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import { AppError } from '../errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import type { Device } from '../limits/known-devices.ts';
import type { MailBudget, MailLimit } from '../limits/mail-budget.ts';
import { rateLimitHeaders } from '../limits/refusal.ts';
import type { Challenge, ChallengePurpose, ChallengeStore, CodePurpose } from './challenge-store.ts';

export interface CodeRules {
  minutes: number;
  attempts: number;
  resetAttempts: number;
  /** Codes of one purpose to one address. */
  perQuarterHour: number;
  perDay: number;
  resetPerDay: number;
}

const QUARTER_MS = 15 * 60_000;
const DAY_MS = 86_400_000;
/** Digits of a code that is typed, and of one that nobody can guess (80 bits), for an address at which strangers did. */
const SHORT = 6;
const LONG = 24;

export interface IssueRequest {
  purpose: CodePurpose;
  flow: string;
  sentTo: string;
  accountId: string | null;
  /** Sealed beside the code; what the proof of the code will make true. */
  data?: unknown;
  decoy: boolean;
  /** The browser that asks. */
  device?: Device | undefined;
}

export interface ChallengesOptions {
  store: ChallengeStore;
  keyring: Keyring;
  audit: Pick<Recorder, 'note'>;
  rules: CodeRules;
  attempts: Pick<AccountAttempts, 'attempt' | 'isClosed' | 'closedToStrangers'>;
  mails: MailBudget;
  onRefused?(limit: MailLimit | 'code', request: Pick<IssueRequest, 'sentTo' | 'purpose'>): void;
}

export function createChallenges(options: ChallengesOptions) {
  const { store, keyring, audit, rules, attempts, mails } = options;
  const macOf = (challenge: Pick<Challenge, 'id' | 'purpose' | 'sent_to'>, secret: string) =>
    keyring.mac('code', `${challenge.purpose}|${challenge.id}|${challenge.sent_to}|${secret}`);
  const context = (id: string) => `challenges|data|${id}`;

  function matches(challenge: Challenge, secret: string): boolean {
    return timingSafeEqual(Buffer.from(challenge.mac), Buffer.from(macOf(challenge, secret)));
  }

  /** Seconds until another code may go to this address, 0 when it may now. */
  function waitFor(purpose: ChallengePurpose, sent: number[]): number {
    const now = Date.now();
    const perDay = purpose === 'reset' ? rules.resetPerDay : rules.perDay;
    const quarter = sent.filter((at) => at > now - QUARTER_MS);
    const until = [
      quarter.length >= rules.perQuarterHour ? (quarter[rules.perQuarterHour - 1] as number) + QUARTER_MS : 0,
      sent.length >= perDay ? (sent[perDay - 1] as number) + DAY_MS : 0,
    ];
    return Math.max(0, Math.ceil((Math.max(...until) - now) / 1000));
  }

  /** A guess at a short code is one at the account. A long one can't be guessed, so nobody can use up its tries. */
  async function guessed<Found>(
    { sent_to: account, digits }: Challenge,
    { ip: source }: Origin,
    device: Device | undefined,
    compared: () => Promise<Found | undefined>,
  ): Promise<Found | undefined> {
    if (digits === LONG) return compared();
    const attempt = { account, source, kind: 'code', known: device?.known(account) } as const;
    try {
      return await attempts.attempt(attempt, compared);
    } catch (error) {
      // A newer code is a long one: better than to wait.
      if (error instanceof AppError && (await attempts.isClosed(account, 'code'))) return undefined;
      throw error;
    }
  }

  return {
    rules,

    /** Steps: stores a new code for the flow and yields it for the mail.
     * @throws AppError too_many_attempts, alike for known and unknown addresses. */
    *issue(request: IssueRequest) {
      const { purpose, sentTo } = request;
      const device = request.device?.known(sentTo) ?? null;
      const beyond = yield* mails.spend({ to: sentTo, purpose, known: device !== null });
      const now = Date.now();
      const sent = yield* store.sentSince(purpose, sentTo, device, now - DAY_MS);
      const wait = beyond?.seconds ?? waitFor(purpose, sent);
      if (wait > 0) {
        options.onRefused?.(beyond?.limit ?? 'code', request);
        throw tooManyCodes(wait, purpose === 'reset' ? rules.resetPerDay : rules.perDay);
      }
      const long = yield* attempts.closedToStrangers(sentTo, 'code');
      const code = newCode(long ? LONG : SHORT);
      const challenge = {
        id: newIdentifier(),
        purpose: request.purpose,
        flow: request.flow,
        account_id: request.accountId,
        sent_to: request.sentTo,
        device,
        digits: code.length,
        max_attempts: request.purpose === 'reset' ? rules.resetAttempts : rules.attempts,
        created_at: now,
        expires_at: now + rules.minutes * 60_000,
      };
      // A decoy's hash is of something that no form can carry.
      const mac = macOf(challenge, request.decoy ? `decoy ${randomBytes(16).toString('hex')}` : code);
      const data = keyring.sealJson('code', request.data ?? null, context(challenge.id));
      yield* store.insert({ ...challenge, mac, data });
      return { id: challenge.id, code: inGroups(code), expiresAt: challenge.expires_at };
    },

    /** Whether a code is awaited in this flow, and where it went. */
    pending: (flow: string, purposes: ChallengePurpose[]) => store.newest(flow, purposes),

    byId: store.byId,

    /** Counts a try at something else than the code, before it is compared. @throws AppError when none is left. */
    async countTry(challenge: Challenge): Promise<Challenge> {
      const counted = await store.count(challenge.id);
      if (!counted) throw spent(challenge);
      return counted;
    },

    /** Steps: another browser confirmed it. @throws AppError code_expired. */
    *confirm(challenge: Challenge) {
      if ((yield* store.confirm(challenge.id)) !== 1) throw spent(challenge);
    },

    /** Counts the try, then compares. Resolves with the challenge, which the caller consumes in its unit of work.
     * @throws AppError invalid_code or code_expired with what the person can do, too_many_attempts. */
    async prove(flow: string, purposes: ChallengePurpose[], code: string, by: Origin = SYSTEM, device?: Device) {
      const challenge = await store.newest(flow, purposes);
      let counted: Challenge | undefined;
      const compared = async () => {
        counted = challenge && (await store.count(challenge.id));
        return counted && matches(counted, code) ? counted : undefined;
      };
      const proved = challenge && living(challenge) ? await guessed(challenge, by, device, compared) : undefined;
      if (proved) return proved;
      const details = { purpose: challenge?.purpose ?? (purposes[0] as string), reason: counted ? 'wrong' : 'spent' };
      await audit.note({ type: 'code.failed', outcome: 'failure', account: challenge?.account_id, by, details });
      if (!challenge || !counted) throw spent(challenge);
      const left = counted.max_attempts - counted.attempts;
      if (left <= 0) throw spent({ ...counted, attempts: counted.max_attempts });
      throw new AppError('invalid_code', {
        message: 'This is not the code that was sent last.',
        fields: [{ field: 'code', code: 'code_wrong', values: { left } }],
      });
    },

    /** Steps: exactly one caller may go on. */
    *consume(challenge: Challenge) {
      if ((yield* store.consume(challenge.id)) !== 1) throw spent(challenge);
    },

    dataOf: <Data>(challenge: Challenge): Data =>
      keyring.openJson<Data>('code', challenge.data as string, context(challenge.id)),

    purge: store.purge,
  };
}

export type Challenges = ReturnType<typeof createChallenges>;

function newCode(digits: number): string {
  return Array.from({ length: digits }, () => randomInt(10)).join('');
}

/** Long ones as people copy numbers; the form takes them with the spaces. */
function inGroups(code: string): string {
  return code.length === SHORT ? code : (code.match(/.{6}/g) as string[]).join(' ');
}

function living({ attempts, max_attempts: most, consumed_at: consumedAt, expires_at: expiresAt }: Challenge): boolean {
  return consumedAt === null && attempts < most && expiresAt > Date.now();
}

function tooManyCodes(seconds: number, limit: number): AppError {
  const minutes = Math.ceil(seconds / 60);
  return new AppError('too_many_attempts', {
    message: `Several codes were sent to this address already. Use the newest one, or ask for another in ${minutes} minutes.`,
    retryAfter: seconds,
    fields: [{ field: '', code: 'too_many_codes', values: { minutes } }],
    headers: rateLimitHeaders(limit, seconds),
  });
}

function spent(challenge: Challenge | undefined): AppError {
  const tooMany = challenge && challenge.consumed_at === null && challenge.attempts >= challenge.max_attempts;
  return new AppError(tooMany ? 'invalid_code' : 'code_expired', {
    message: tooMany
      ? 'This code was tried too often. Ask for a new one.'
      : 'This code has expired or was used already. Ask for a new one.',
    fields: [{ field: 'code', code: tooMany ? 'code_attempts' : 'code_expired' }],
  });
}
