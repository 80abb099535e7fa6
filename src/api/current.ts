/** Which entry of the list of sessions the request itself belongs to. */
import type { Kept } from '../accounts/parts.ts';
import type { SessionEntry, Sessions } from '../sessions/sessions.ts';
import type { Caller } from './caller.ts';

/** An application with refresh tokens is itself the current entry; otherwise the browser session is. */
export async function entriesFor(sessions: Pick<Sessions, 'list'>, caller: Caller): Promise<SessionEntry[]> {
  const { accountId, sessionUid, grantId } = caller;
  const entries = await sessions.list(accountId, sessionUid);
  const own = grantId !== undefined && entries.some(({ kind, id }) => kind === 'app' && id === grantId);
  return own ? entries.map((entry) => ({ ...entry, current: entry.id === grantId })) : entries;
}

/** The current entry stays: the browser session with its apps, or the app that asks. */
export async function keptBy(sessions: Pick<Sessions, 'list'>, caller: Caller): Promise<Kept> {
  const current = (await entriesFor(sessions, caller)).find((entry) => entry.current);
  return current?.kind === 'app' ? { grant: current.id } : { session: caller.sessionUid };
}
