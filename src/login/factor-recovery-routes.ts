/** The second step, for who lost every factor: what the way to be rid of them is, the code that begins the waiting time,
 * and after it the one that ends it. Seen only after the right password. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { FactorRecovery, Standing } from '../accounts/factor-recovery.ts';
import { isRecent } from '../factors/freshness.ts';
import type { Flow } from './flows.ts';
import { ButtonForm, CodeForm } from './forms.ts';
import type { Pending } from './login.ts';
import type { FlowPage } from './pages.ts';
import { seeOther } from './register-routes.ts';
import { askedBy, type LoginDeps } from './routes.ts';

const HOUR_MS = 3_600_000;

/** Only who typed the password just now: neither a mailed code alone nor an old session leads here. */
async function standingOf(
  factorRecovery: Pick<FactorRecovery, 'standing'>,
  { account, step, next }: Pending,
): Promise<Standing> {
  const allowed = next.step === 'factor' && step.amr.includes('pwd') && isRecent(step.authTime);
  return allowed ? factorRecovery.standing(account) : { state: 'none' };
}

/** What the page of a factor says to who has lost it (views/parts/lost.ejs); null where there is no such way. */
export async function lostWay(
  { factorRecovery }: Pick<LoginDeps, 'factorRecovery'>,
  { uid }: Flow,
  pending: Pending,
): Promise<{ url: string; state: Standing['state']; until: string | null } | null> {
  const standing = await standingOf(factorRecovery, pending);
  if (standing.state === 'none') return null;
  return { url: `/login/${uid}/lost`, state: standing.state, until: untilOf(standing) };
}

export function mountFactorRecovery(router: Router, deps: LoginDeps): void {
  const { pages, login, factorRecovery, challenges } = deps;

  async function form(ctx: Context, { flow, show }: FlowPage, data: object = {}): Promise<void> {
    const pending = await login.pending(ctx, flow);
    const standing = await standingOf(factorRecovery, pending);
    if (standing.state === 'none') return login.resume(ctx, flow);
    show('login/lost', {
      account: { email: pending.account.email, name: pending.account.profile.name },
      state: standing.state,
      until: untilOf(standing),
      wait: spanOf(factorRecovery.waitMs),
      action: `/login/${flow.uid}/lost`,
      backUrl: `/login/${flow.uid}/factor`,
      cancelAction: `/login/${flow.uid}/cancel`,
      ...data,
    });
  }

  async function codeForm(ctx: Context, page: FlowPage, data: object = {}): Promise<void> {
    const { flow, show } = page;
    const pending = await login.pending(ctx, flow);
    const { state } = await standingOf(factorRecovery, pending);
    const does = await factorRecovery.awaited(pending.account, flow.uid);
    if (does !== { offered: 'start', ready: 'finish' }[state as string]) return form(ctx, page, data);
    if (!does) return login.resume(ctx, flow);
    show('login/lost-code', {
      does,
      email: pending.account.email,
      minutes: challenges.rules.minutes,
      wait: spanOf(factorRecovery.waitMs),
      action: `/login/${flow.uid}/lost/code`,
      resendAction: `/login/${flow.uid}/lost/resend`,
      backUrl: `/login/${flow.uid}/factor`,
      ...data,
    });
  }

  /** Mails the code and goes to its page. */
  async function send(ctx: Context, { flow, locale }: FlowPage, query = ''): Promise<void> {
    const pending = await login.pending(ctx, flow);
    if ((await standingOf(factorRecovery, pending)).state === 'none') return login.resume(ctx, flow);
    await factorRecovery.sendCode(pending.account, { flow: flow.uid, by: deps.originOf(ctx), locale });
    seeOther(ctx, `/login/${flow.uid}/lost/code${query}`);
  }

  router.get('/login/:uid/lost', async (ctx) => form(ctx, await pages.open(ctx)));

  router.post('/login/:uid/lost', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      (page) => send(ctx, page),
      (page, _form, errors) => form(ctx, page, { errors }),
    ),
  );

  router.get('/login/:uid/lost/code', async (ctx) =>
    codeForm(ctx, await pages.open(ctx), { notice: ctx.query['notice'] === 'resent' ? 'resent' : null }),
  );

  router.post('/login/:uid/lost/resend', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      (page) => send(ctx, page, '?notice=resent'),
      (page, _form, errors) => codeForm(ctx, page, { errors }),
    ),
  );

  router.post('/login/:uid/lost/code', (ctx) =>
    pages.submit(
      ctx,
      CodeForm,
      async (page, { code }) => {
        const { flow } = page;
        const pending = await login.pending(ctx, flow);
        if ((await standingOf(factorRecovery, pending)).state === 'none') return login.resume(ctx, flow);
        const { by = deps.originOf(ctx), device } = askedBy(deps, ctx, page);
        const proof = { flow: flow.uid, code, by, ...(device ? { device } : {}) };
        const done = await factorRecovery.prove(pending.account, proof);
        if (done === 'started') return seeOther(ctx, `/login/${flow.uid}/lost`);
        await login.provedMore(ctx, flow, pending, ['email']);
      },
      (page, _form, errors) => codeForm(ctx, page, { errors }),
    ),
  );
}

function untilOf(standing: Standing): string | null {
  if (standing.state === 'early') return new Date(standing.from).toISOString();
  return 'until' in standing ? new Date(standing.until).toISOString() : null;
}

/** Whole days where it is whole days, for the words. */
function spanOf(ms: number): { unit: 'day' | 'hour'; count: number } {
  const hours = Math.ceil(ms / HOUR_MS);
  return hours % 24 === 0 ? { unit: 'day', count: hours / 24 } : { unit: 'hour', count: hours };
}
