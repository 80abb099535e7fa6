/**
 * Signing in by mail, where the operator allows it: a code for the browser that asked, and a link for whoever opens the
 * mail. The link signs in the browser that asked, nobody else: another browser has to type the words that it shows.
 * Unknown addresses are answered, limited and timed like known ones.
 */
import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { Recorder } from '../audit/audit.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import type { Outbox } from '../jobs/outbox.ts';
import type { Device } from '../limits/known-devices.ts';
import type { Challenge } from './challenge-store.ts';
import type { Challenges } from './challenges.ts';
import { canonicalEmail } from './email.ts';
import type { Asked } from './sign-in.ts';
import type { Account, AccountStore } from './store.ts';

export interface MailedSignInOptions {
  db: Database;
  audit: Recorder;
  store: AccountStore;
  challenges: Challenges;
  outbox: Outbox;
  issuer: string;
}

/** What whoever opens the link on another device is shown before they approve. */
export interface Asking {
  /** The application's name; null for the account pages. */
  application: string | null;
  /** English, as in the list of sessions. */
  device: string;
  ip: string | null;
  /** Milliseconds since 1970. */
  at: number;
}

interface Sealed {
  locale: string;
  /** SHA-256 of the link's secret. */
  link: string;
  words: string;
  asking: Asking;
}

export interface Opened {
  flow: string;
  email: string;
  asking: Asking;
}

/** Without vowels, so that no words come of it, and without signs that look alike. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const WORDS = 6;

export function createMailedSignIn({ db, audit, store, challenges, outbox, issuer }: MailedSignInOptions) {
  /** Steps: one code and link, real for an account that may be entered, else a decoy that sends nothing. */
  function* send(canonical: string, flow: string, locale: string, asking: Asking, browser?: Device) {
    const account = yield* store.findByEmail(canonical);
    const real = account !== undefined && account.status !== 'disabled';
    const secret = randomBytes(32).toString('base64url');
    const sealed: Sealed = { locale, link: hashOf(secret), words: newWords(), asking };
    const request = {
      flow,
      sentTo: canonical,
      accountId: account?.id ?? null,
      data: sealed,
      decoy: !real,
      device: browser,
    };
    const { id, code, expiresAt } = yield* challenges.issue({ purpose: 'signin', ...request });
    const { application, device, ip } = asking;
    const link = `${issuer}/sign-in/${id}.${secret}`;
    const data = { code, link, minutes: challenges.rules.minutes, application, device, ip };
    const mail = { template: real ? 'sign-in' : 'none', to: canonical, locale, data };
    yield* outbox.enqueue('mail', mail, expiresAt - Date.now());
    return account?.id;
  }

  /** Exactly one caller goes on as the person; the proof of the mailbox proves the address, too. */
  async function complete(challenge: Challenge, by: Origin): Promise<Account> {
    const account = challenge.account_id === null ? undefined : await store.byId(challenge.account_id);
    if (!account || account.status === 'disabled') throw over();
    await db.write(function* () {
      yield* challenges.consume(challenge);
      if ((yield* store.setEmailVerified(account.id)) === 1) {
        yield* audit.record({ type: 'account.verified', account: account.id, by });
      }
    });
    return account;
  }

  /** The challenge of a link that still opens something. @throws AppError code_expired. */
  async function opened(token: string): Promise<Challenge> {
    const [id = '', secret = ''] = token.split('.');
    const challenge = await challenges.byId(id);
    if (challenge?.purpose !== 'signin' || !isAlive(challenge)) throw over();
    const { link } = challenges.dataOf<Sealed>(challenge);
    if (!equal(hashOf(secret), link)) throw over();
    if ((await challenges.pending(challenge.flow, ['signin']))?.id !== challenge.id) throw over();
    return challenge;
  }

  async function failed(challenge: Challenge, reason: string, by: Origin): Promise<void> {
    const details = { purpose: 'signin', reason };
    await audit.note({ type: 'code.failed', outcome: 'failure', account: challenge.account_id, by, details });
  }

  return {
    /** The same answer whoever is asked for. @throws AppError invalid_request, too_many_attempts. */
    async start(input: { flow: string; email: string; locale: string; application: string | null } & Asked) {
      const { by = SYSTEM, client } = input;
      const email = canonicalEmail(input.email);
      if (!email) throw new AppError('invalid_request', { fields: [{ field: 'email', code: 'email_invalid' }] });
      const asking = { application: input.application, device: by.device, ip: by.ip, at: Date.now() };
      await db.write(function* () {
        const account = yield* send(email.canonical, input.flow, input.locale, asking, input.device);
        const details = { purpose: 'signin', reason: 'to_sign_in', address: audit.pseudonym(email.canonical) };
        yield* audit.record({ type: 'code.sent', account, client, by, details });
      });
      outbox.wake();
    },

    /** Another code and link; the earlier ones stop working. */
    async resend(flow: string, device?: Device): Promise<void> {
      const challenge = await challenges.pending(flow, ['signin']);
      if (!challenge) throw over();
      const { locale, asking } = challenges.dataOf<Sealed>(challenge);
      await db.write(function* () {
        yield* send(challenge.sent_to, flow, locale, { ...asking, at: Date.now() }, device);
      });
      outbox.wake();
    },

    /** What the browser that asked shows while it waits; alike for a decoy. */
    async awaited(flow: string): Promise<{ email: string; words: string } | undefined> {
      const challenge = await challenges.pending(flow, ['signin']);
      return challenge && { email: challenge.sent_to, words: inTwo(challenges.dataOf<Sealed>(challenge).words) };
    },

    /** The code, typed where it was asked for. @throws AppError invalid_code, code_expired. */
    async prove(flow: string, code: string, { by = SYSTEM, device }: Asked): Promise<Account> {
      return complete(await challenges.prove(flow, ['signin'], code, by, device), by);
    },

    /** What a link is about; opening it changes nothing. @throws AppError code_expired. */
    async open(token: string): Promise<Opened> {
      const challenge = await opened(token);
      const { asking } = challenges.dataOf<Sealed>(challenge);
      return { flow: challenge.flow, email: challenge.sent_to, asking };
    },

    /** The link, used in the browser that asked: the caller has checked that it is. @throws AppError code_expired. */
    async follow(token: string, { by = SYSTEM }: Asked): Promise<Account> {
      return complete(await opened(token), by);
    },

    /** The link, used in another browser: the words that the first one shows let that one go on.
     * @throws AppError code_expired, invalid_code. */
    async confirm(token: string, words: string, by: Origin): Promise<void> {
      const challenge = await challenges.countTry(await opened(token));
      const wanted = challenges.dataOf<Sealed>(challenge).words;
      if (!equal(hashOf(words.toUpperCase()), hashOf(wanted))) {
        await failed(challenge, 'wrong', by);
        const left = challenge.max_attempts - challenge.attempts;
        throw new AppError('invalid_code', {
          message: 'These are not the letters that the other browser shows.',
          fields: [{ field: 'words', code: 'letters_wrong', values: { left } }],
        });
      }
      await db.write(() => challenges.confirm(challenge));
    },

    /** The browser that asked goes on after another one confirmed. @throws AppError invalid_code before that. */
    async confirmed(flow: string, { by = SYSTEM }: Asked): Promise<Account> {
      const challenge = await challenges.pending(flow, ['signin']);
      if (!challenge || challenge.consumed_at !== null || challenge.expires_at <= Date.now()) throw over();
      if (challenge.confirmed_at === null) {
        throw new AppError('invalid_code', {
          message: 'Nobody confirmed this sign-in yet.',
          fields: [{ field: '', code: 'not_confirmed' }],
        });
      }
      return complete(challenge, by);
    },

    /** "I did not ask for this": code and link stop working. */
    async refuse(token: string, by: Origin): Promise<void> {
      const challenge = await opened(token);
      await db.write(function* () {
        yield* challenges.consume(challenge);
        const details = { purpose: 'signin', reason: 'disowned' };
        yield* audit.record({ type: 'code.failed', outcome: 'failure', account: challenge.account_id, by, details });
      });
    },
  };
}

export type MailedSignIn = ReturnType<typeof createMailedSignIn>;

const isAlive = (challenge: Challenge) =>
  challenge.consumed_at === null && challenge.expires_at > Date.now() && challenge.attempts < challenge.max_attempts;

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('base64url');

function equal(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const newWords = () => Array.from({ length: WORDS }, () => LETTERS[randomInt(LETTERS.length)]).join('');
const inTwo = (words: string) => `${words.slice(0, 3)} ${words.slice(3)}`;

function over(): AppError {
  return new AppError('code_expired', {
    message: 'This link or code has expired or was used already. Ask for a new one where you want to sign in.',
    fields: [{ field: 'code', code: 'code_expired' }],
  });
}
