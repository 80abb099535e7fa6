/**
 * Tells a client that a session ended (OpenID Connect Back-Channel Logout 1.0). Runs when the outbox delivers: the
 * token is made then, so that it is fresh after any delay, and its `jti` is the job's id at every try.
 */
import type Provider from 'oidc-provider';

/** A try that failed after so long held one of a few places of delivery all the while. */
const SLOW_MS = 1000;
/** A receiver that was slow to fail is asked so much later again, by one delivery; until then the others are put off. */
const QUIET_MS = 5000;

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** The members of the core's models that its types leave out. */
interface NoticeClient {
  backchannelLogoutUri?: string;
  backchannelLogoutSessionRequired?: boolean;
}
interface LogoutToken {
  mask: object;
  set(claim: string, value: unknown): void;
  issue(how: { use: 'logout' }): Promise<string>;
}
type IdTokenClass = new (claims: { sub: string }, context: { client: NoticeClient; ctx: undefined }) => LogoutToken;

export interface LogoutNoticesOptions {
  /** The core of this moment: keys rotate. */
  provider(): Provider;
  fetch: typeof fetch;
}

/** @returns the handler of the outbox. It throws what is to be tried again; `permanent` on what is not. */
export function createLogoutNotices({ provider, fetch }: LogoutNoticesOptions) {
  const quietUntil = new Map<string, number>();

  /** Sends by `fetch`, unless the client was silent a moment ago: one that hangs must not hold up the others' notices. */
  async function send(clientId: string, ...request: Parameters<typeof fetch>): Promise<Response> {
    const started = performance.now();
    const until = quietUntil.get(clientId);
    if (until !== undefined) {
      if (started < until) throw new Error(`${clientId} did not answer a moment ago, and is left alone for a while.`);
      quietUntil.set(clientId, started + QUIET_MS);
    }
    try {
      const answer = await fetch(...request);
      quietUntil.delete(clientId);
      return answer;
    } catch (error) {
      const ended = performance.now();
      if (ended - started >= SLOW_MS) quietUntil.set(clientId, ended + QUIET_MS);
      throw error;
    }
  }

  return async ({ clientId, sub, sid }: { clientId: string; sub: string; sid?: string }, { id }: { id: string }) => {
    const core = provider();
    const client = (await core.Client.find(clientId)) as NoticeClient | undefined;
    // Removed, disabled, or no longer interested: nobody is there to be told.
    if (!client?.backchannelLogoutUri) return;
    const token = new (core.IdToken as unknown as IdTokenClass)({ sub }, { client, ctx: undefined });
    token.mask = { sub: null };
    token.set('events', { [EVENT]: {} });
    token.set('jti', id);
    if (client.backchannelLogoutSessionRequired && sid !== undefined) token.set('sid', sid);
    const answer = await send(clientId, client.backchannelLogoutUri, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'cache-control': 'no-store' },
      body: new URLSearchParams({ logout_token: await token.issue({ use: 'logout' }) }).toString(),
    });
    if (answer.status === 200 || answer.status === 204) return;
    // Section 2.8: the client refuses the token, and will refuse the next one.
    throw Object.assign(new Error(`The logout notice to ${clientId} was answered with ${answer.status}.`), {
      permanent: answer.status === 400,
    });
  };
}

/** The core would tell clients inside the request, once and with no second try; the end of the session queued it. */
export function leaveNoticesToOutbox(provider: Provider): void {
  (provider.Client.prototype as unknown as { backchannelLogout(): Promise<void> }).backchannelLogout = async () => {};
}
