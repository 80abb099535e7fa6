/** Which applications may what, and taking it back. */
import type Router from '@koa/router';
import type { I18n } from '../http/i18n.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { type Area, Button, type Section } from './area.ts';
import { scopeTitle } from './scope-words.ts';

export function mountApps(router: Router, area: Area, { sessions, i18n }: { sessions: Sessions; i18n: I18n }): void {
  const section: Section = {
    name: 'apps',
    async data({ account }, ctx) {
      const apps = await sessions.apps(account.id);
      return {
        apps: apps.map((app) => ({
          clientId: app.client_id,
          name: app.name,
          uri: app.uri,
          scopes: app.scopes.map((scope) => scopeTitle(i18n, String(ctx.state['locale']), scope)),
          grantedAt: app.granted_at,
          lastUsedAt: app.last_used_at,
          removeAction: `/account/apps/${encodeURIComponent(app.client_id)}/remove`,
        })),
      };
    },
  };

  router.get('/account/apps', area.page(section));

  router.post(
    '/account/apps/:clientId/remove',
    area.action(section, Button, async (ctx, who) => {
      await sessions.removeApp(who.account.id, String(ctx['params'].clientId), area.originOf(ctx));
      return '/account/apps?notice=app-removed';
    }),
  );
}
