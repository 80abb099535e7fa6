/** An authenticator app is set up on the way in, by somebody who has to have a second factor and has none yet. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { AppError } from '../errors.ts';
import type { IsFresh } from '../factors/freshness.ts';
import { qrCode } from '../factors/qr-code.ts';
import type { Totp } from '../factors/totp.ts';
import type { Flow } from './flows.ts';
import { TotpForm } from './forms.ts';
import type { Pending } from './login.ts';
import type { FlowPage } from './pages.ts';
import type { LoginDeps } from './routes.ts';

export interface TotpDeps extends LoginDeps {
  totp: Pick<Totp, 'begin' | 'confirm'>;
  isFresh: IsFresh;
}

export function mountTotpSetup(router: Router, { pages, login, totp, isFresh, originOf }: TotpDeps): void {
  const holder = (flow: Flow) => `flow:${flow.uid}`;
  const allowed = ({ next }: Pending) => next.step === 'protect' && next.kinds.includes('totp');

  /** @throws AppError interaction_expired: nobody changes what protects an account who proved it long ago. */
  async function inTime({ account, step }: Pending): Promise<void> {
    if (await isFresh({ accountId: account.id, authTime: step.authTime, amr: step.amr })) return;
    throw new AppError('interaction_expired', {
      message: 'The first step of this sign-in was too long ago. Sign in again.',
    });
  }

  async function form(ctx: Context, { flow, show }: FlowPage, data: object): Promise<void> {
    const pending = await login.pending(ctx, flow);
    await inTime(pending);
    const { account } = pending;
    const setup = await totp.begin({ accountId: account.id, label: account.email, holder: holder(flow) });
    show('login/protect-totp', {
      action: `/login/${flow.uid}/protect/totp`,
      backUrl: `/login/${flow.uid}/protect`,
      setup: { secret: setup.secret, uri: setup.uri, qr: qrCode(setup.uri) },
      name: '',
      ...data,
    });
    // The page holds a secret (http/compress.ts).
    ctx.state['compress'] = false;
  }

  router.get('/login/:uid/protect/totp', async (ctx) => {
    const page = await pages.open(ctx);
    if (!allowed(await login.pending(ctx, page.flow))) return login.resume(ctx, page.flow);
    await form(ctx, page, {});
  });

  router.post('/login/:uid/protect/totp', (ctx) =>
    pages.submit(
      ctx,
      TotpForm,
      async ({ flow }, { code, name }) => {
        const pending = await login.pending(ctx, flow);
        if (!allowed(pending)) return login.resume(ctx, flow);
        await inTime(pending);
        const { id: accountId } = pending.account;
        const kept = keptBy(flow, accountId);
        await totp.confirm({ accountId, code, name, holder: holder(flow) }, { by: originOf(ctx), kept });
        await login.provedMore(ctx, flow, pending, ['otp']);
      },
      (page, { name }, errors) => form(ctx, page, { name, errors }),
    ),
  );
}

/** This sign-in stays, and the session of this browser, which becomes a stronger one. */
function keptBy({ uid: flow, interaction }: Flow, accountId: string): { flow: string; session?: string | undefined } {
  const { session } = interaction;
  return session?.accountId === accountId ? { flow, session: session.uid } : { flow };
}
