/** Between the first and the second step of a sign-in: which factor to prove, or which to set up. Each kind has pages
 * of its own, named after it. */
import type Router from '@koa/router';
import type { FactorKind } from '../factors/factors.ts';
import type { Flow } from './flows.ts';
import type { Pending } from './login.ts';
import { seeOther } from './register-routes.ts';
import type { LoginDeps } from './routes.ts';

/** Other ways than `kind` to prove the second step, as links of its page. */
export function otherWays(flow: Flow, { next }: Pending, kind: FactorKind): Array<{ kind: FactorKind; url: string }> {
  if (next.step !== 'factor') return [];
  return next.kinds.filter((each) => each !== kind).map((each) => ({ kind: each, url: `/login/${flow.uid}/${each}` }));
}

export function mountFactors(router: Router, { pages, login }: LoginDeps): void {
  router.get('/login/:uid/factor', async (ctx) => {
    const { flow } = await pages.open(ctx);
    const { next } = await login.pending(ctx, flow);
    if (next.step !== 'factor') return login.resume(ctx, flow);
    seeOther(ctx, `/login/${flow.uid}/${next.kinds[0]}`);
  });

  router.get('/login/:uid/protect', async (ctx) => {
    const { flow, show } = await pages.open(ctx);
    const { next, account } = await login.pending(ctx, flow);
    if (next.step !== 'protect') return login.resume(ctx, flow);
    show('login/protect', {
      account: { email: account.email, name: account.profile.name },
      kinds: next.kinds.map((kind) => ({ kind, url: `/login/${flow.uid}/protect/${kind}` })),
      cancelAction: `/login/${flow.uid}/cancel`,
    });
  });
}
