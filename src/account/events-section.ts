/** What happened to my account. */
import type Router from '@koa/router';
import type { AuditLog } from '../audit/log.ts';
import type { I18n } from '../http/i18n.ts';
import { describeDevice } from '../sessions/device.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Area, Section } from './area.ts';

export interface EventsDeps {
  audit: Pick<AuditLog, 'list'>;
  sessions: Sessions;
  i18n: I18n;
}

/** On one page. */
const EVENTS = 30;
/** Events are paged by their ids. */
const EVENT_ID = /^[\w-]{1,100}$/;

export function mountEvents(router: Router, area: Area, { audit, sessions, i18n }: EventsDeps): void {
  function words(locale: string, key: string): string | null {
    const found = i18n.t(locale as never, key);
    return found === key ? null : found;
  }

  const section: Section = {
    name: 'events',
    nav: 'security',
    async data({ account }, ctx) {
      const locale = String(ctx.state['locale']);
      const before = String(ctx.query['before'] ?? '');
      const page = await audit.list({ account: account.id }, EVENTS, EVENT_ID.test(before) ? before : undefined);
      const apps = new Map((await sessions.apps(account.id)).map((app) => [app.client_id, app.name]));
      return {
        events: page.items.map(({ at, type, outcome, ip, user_agent, client_id, details, via }) => ({
          at,
          failed: outcome === 'failure',
          title: words(locale, `event.${type}`) ?? type,
          reason: words(locale, `event-reason.${String(details['reason'])}`),
          ip,
          device: user_agent === null ? null : describeDevice(user_agent).name,
          operator: via === 'cli' || via === 'admin',
          app: client_id && (apps.get(client_id) ?? null),
        })),
        olderUrl: page.next === null ? null : `/account/events?before=${page.next}`,
      };
    },
  };

  router.get('/account/events', area.page(section));
}
