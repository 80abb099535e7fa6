/** The way into the account area and out of it. */
import type Router from '@koa/router';
import type { Sessions } from '../sessions/sessions.ts';
import { type Area, Button } from './area.ts';
import { CALLBACK_PATH } from './entrance.ts';

export function mountSigning(router: Router, area: Area, { sessions }: { sessions: Pick<Sessions, 'signOut'> }): void {
  const { entrance, renderer, originOf } = area;
  // The button is in the frame of every page and its form has nothing to mend.
  const frame = { name: 'overview', leaving: true, data: async () => ({}) };

  router.get(CALLBACK_PATH, async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    if (ctx.query['error'] === 'access_denied')
      return renderer.page(ctx, 'login/no-interaction', { loginUrl: '/account' });
    ctx.redirect(await entrance.returnPath(ctx));
    ctx.status = 303;
  });

  router.post(
    '/account/sign-out',
    area.action(frame, Button, async (ctx, who) => {
      await sessions.signOut(who.session.uid, originOf(ctx));
      entrance.forget(ctx);
      return '/account/signed-out';
    }),
  );

  router.get('/account/signed-out', (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/signed-out', { client: null, loginUrl: '/account' });
  });
}
