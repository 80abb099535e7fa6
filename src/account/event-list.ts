/** Entries of the record in words for the person whom they are about. */
import type { AuditEntry, EventType } from '../audit/events.ts';
import type { AuditLog } from '../audit/log.ts';
import type { I18n } from '../http/i18n.ts';
import { describeDevice } from '../sessions/device.ts';
import type { Sessions } from '../sessions/sessions.ts';

export interface EventListDeps {
  audit: Pick<AuditLog, 'list'>;
  sessions: Pick<Sessions, 'apps'>;
  i18n: I18n;
}

/** What a person need not see first: it follows from a sign-in. */
const QUIET = new Set<EventType>(['token.issued', 'consent.granted', 'session.ended', 'factor.proved']);

export function createEventList({ audit, sessions, i18n }: EventListDeps) {
  function words(locale: string, key: string): string | null {
    const found = i18n.t(locale as never, key);
    return found === key ? null : found;
  }

  async function described(items: AuditEntry[], accountId: string, locale: string) {
    const apps = new Map((await sessions.apps(accountId)).map((app) => [app.client_id, app.name]));
    return items.map(({ at, type, outcome, ip, user_agent, client_id, details, via }) => ({
      at,
      failed: outcome === 'failure',
      title: words(locale, `event.${type}`) ?? type,
      reason: words(locale, `event-reason.${String(details['reason'])}`),
      ip,
      device: user_agent === null ? null : describeDevice(user_agent).name,
      operator: via === 'cli' || via === 'admin',
      app: client_id && (apps.get(client_id) ?? null),
    }));
  }

  return {
    /** Newest first, with the cursor of the next page. */
    async page(accountId: string, locale: string, limit: number, before?: string) {
      const { items, next } = await audit.list({ account: accountId }, limit, before);
      return { events: await described(items, accountId, locale), next };
    },

    /** The newest of those that matter: sign-ins, failures, changes. */
    async lately(accountId: string, locale: string, limit: number) {
      const { items } = await audit.list({ account: accountId }, limit * 5);
      const telling = items.filter(({ type, outcome }) => outcome === 'failure' || !QUIET.has(type));
      return described(telling.slice(0, limit), accountId, locale);
    },
  };
}
