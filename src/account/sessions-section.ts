/** Where I am signed in, and ending any of it. */
import type Router from '@koa/router';
import type { Sessions } from '../sessions/sessions.ts';
import { type Area, Button, type Section } from './area.ts';

export function mountSessions(router: Router, area: Area, { sessions }: { sessions: Sessions }): void {
  const { entrance, originOf } = area;
  const section: Section = {
    name: 'sessions',
    async data({ account, session }) {
      const list = await sessions.list(account.id, session.uid);
      return {
        sessions: list.map((entry) => ({
          id: entry.id,
          kind: entry.kind,
          current: entry.current,
          createdAt: entry.created_at,
          lastSeenAt: entry.last_seen_at,
          expiresAt: entry.expires_at,
          ip: entry.ip,
          device: entry.device,
          apps: entry.apps.map((app) => ({ clientId: app.client_id, name: app.name })),
          endAction: `/account/sessions/${encodeURIComponent(entry.id)}/end`,
        })),
        endOthersAction: list.some((entry) => !entry.current) ? '/account/sessions/end-others' : null,
      };
    },
  };

  router.get('/account/sessions', area.page(section));

  router.post(
    '/account/sessions/end-others',
    area.action(section, Button, async (ctx, who) => {
      await sessions.revokeAll(who.account.id, { session: who.session.uid }, originOf(ctx));
      return '/account/sessions?notice=others-ended';
    }),
  );

  router.post(
    '/account/sessions/:id/end',
    area.action(section, Button, async (ctx, who) => {
      const id = String(ctx['params'].id);
      await sessions.revoke(who.account.id, id, originOf(ctx));
      if (id !== who.session.uid) return '/account/sessions?notice=session-ended';
      entrance.forget(ctx);
      return '/account/signed-out';
    }),
  );
}
