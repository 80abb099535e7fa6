/** What happened to my account. */
import type Router from '@koa/router';
import type { Area, Section } from './area.ts';
import { createEventList, type EventListDeps } from './event-list.ts';

export type EventsDeps = EventListDeps;

/** On one page. */
const EVENTS = 30;
/** Events are paged by their ids. */
const EVENT_ID = /^[\w-]{1,100}$/;

export function mountEvents(router: Router, area: Area, deps: EventsDeps): void {
  const list = createEventList(deps);

  const section: Section = {
    name: 'events',
    nav: 'security',
    async data({ account }, ctx) {
      const before = String(ctx.query['before'] ?? '');
      const cursor = EVENT_ID.test(before) ? before : undefined;
      const { events, next } = await list.page(account.id, String(ctx.state['locale']), EVENTS, cursor);
      return { events, olderUrl: next === null ? null : `/account/events?before=${next}` };
    },
  };

  router.get('/account/events', area.page(section));
}
