/** Signing in to an account that its person has deleted: the way back, as long as there is one. */
import type Router from '@koa/router';
import type { Deletion } from '../accounts/deletion.ts';
import { ButtonForm } from './forms.ts';
import type { FlowPage } from './pages.ts';
import { seeOther } from './register-routes.ts';
import type { LoginDeps } from './routes.ts';

export interface ClosedDeps extends LoginDeps {
  deletion: Pick<Deletion, 'restore'>;
}

export function mountClosed(router: Router, { pages, login, deletion, originOf }: ClosedDeps): void {
  function form({ flow, show }: FlowPage, account: { deleteAfter: number | null }, data: object = {}): void {
    show('login/closed', {
      action: `/login/${flow.uid}/closed`,
      leaveAction: `/login/${flow.uid}/cancel`,
      goneAt: new Date(account.deleteAfter ?? Date.now()).toISOString(),
      ...data,
    });
  }

  router.get('/login/:uid/closed', async (ctx) => {
    const page = await pages.open(ctx);
    const account = await login.closed(ctx, page.flow);
    if (account) form(page, account);
    else await login.resume(ctx, page.flow);
  });

  router.post('/login/:uid/closed', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      async ({ flow }) => {
        const account = await login.closed(ctx, flow);
        if (account) await deletion.restore(account.id, originOf(ctx));
        await login.resume(ctx, flow);
      },
      ({ flow }) => seeOther(ctx, `/login/${flow.uid}`),
    ),
  );
}
