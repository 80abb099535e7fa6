/**
 * One-time links by mail with 256 random bits: bound to their purpose and address, used by a form on the page that they
 * open (a mail scanner opens links, too), consumed once. Rows lie beside those of the codes.
 */
import { timingSafeEqual } from 'node:crypto';
import { newIdentifier } from '../artifacts/identifier.ts';
import { AppError } from '../errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { takeRandom } from '../keyring/random.ts';
import type { Challenge, ChallengeStore, LinkPurpose } from './challenge-store.ts';

export interface NewLink {
  purpose: LinkPurpose;
  sentTo: string;
  accountId: string | null;
  /** Sealed; what the use of the link will make true. */
  data: unknown;
  lifetimeMs: number;
}

export function createLinks({ store, keyring }: { store: ChallengeStore; keyring: Keyring }) {
  const macOf = (link: Pick<Challenge, 'id' | 'purpose' | 'sent_to'>, secret: string) =>
    keyring.mac('code', `${link.purpose}|${link.id}|${link.sent_to}|${secret}`);
  const context = (id: string) => `challenges|data|${id}`;
  const matches = (link: Challenge, secret: string) =>
    timingSafeEqual(Buffer.from(link.mac), Buffer.from(macOf(link, secret)));

  return {
    /** Steps: yields the token for the address of the link. */
    *issue({ purpose, sentTo, accountId, data, lifetimeMs }: NewLink) {
      const secret = takeRandom(32).toString('base64url');
      const id = newIdentifier();
      const link = { id, purpose, flow: id, account_id: accountId, sent_to: sentTo };
      const now = Date.now();
      yield* store.insert({
        ...link,
        mac: macOf(link, secret),
        data: keyring.sealJson('code', data, context(id)),
        max_attempts: 20,
        created_at: now,
        expires_at: now + lifetimeMs,
      });
      return `${id}.${secret}`;
    },

    /** The living link of a token, without using it up. */
    async find(purpose: LinkPurpose, token: string): Promise<Challenge | undefined> {
      const [id, secret] = token.split('.');
      const link = id && secret ? await store.byId(id) : undefined;
      if (link?.purpose !== purpose || link.consumed_at !== null) return undefined;
      return link.expires_at > Date.now() && matches(link, secret as string) ? link : undefined;
    },

    /** Steps: exactly one caller may go on. @throws AppError code_expired. */
    *consume(link: Challenge) {
      if ((yield* store.consume(link.id)) !== 1) throw spentLink();
    },

    /** Steps: what was sent to this account from `since` on opens nothing any more. */
    end: store.endLinks,

    dataOf: <Data>(link: Challenge): Data => keyring.openJson<Data>('code', link.data as string, context(link.id)),
  };
}

export type Links = ReturnType<typeof createLinks>;

export function spentLink(): AppError {
  return new AppError('code_expired', { message: 'This link has expired or was used already. Ask for a new one.' });
}
