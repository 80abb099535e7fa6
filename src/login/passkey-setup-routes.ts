/** Making a passkey during a sign-in: because a second step is demanded, or because the page after the password offers
 * it. Never a way around a factor that is there. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { AppError } from '../errors.ts';
import type { IsFresh } from '../factors/freshness.ts';
import type { Passkeys } from '../factors/passkeys.ts';
import type { Flow } from './flows.ts';
import type { Pending } from './login.ts';
import type { FlowPage } from './pages.ts';
import { passkeyForm, RegistrationForm } from './passkey-form.ts';
import { boundTo } from './passkey-routes.ts';
import type { LoginDeps } from './routes.ts';

export interface PasskeySetupDeps extends LoginDeps {
  passkeys: Passkeys;
  isFresh: IsFresh;
}

type Place = 'protect' | 'offer';
const PATHS: Record<Place, string> = { protect: '/login/:uid/protect/passkey', offer: '/login/:uid/offer' };

const AnswerForm = z.strictObject({ csrf: z.string().max(500), decision: z.enum(['later', 'never']) });

export function mountPasskeySetup(router: Router, deps: PasskeySetupDeps): void {
  const { pages, login, passkeys, isFresh, originOf } = deps;

  /** Who may make one here now. @throws AppError interaction_expired. */
  async function maker(ctx: Context, flow: Flow, place: Place): Promise<Pending> {
    const pending = await login.pending(ctx, flow);
    const { account, step } = pending;
    const fresh = await isFresh({ accountId: account.id, authTime: step.authTime, amr: step.amr });
    if (isPlaceOf(pending, place) && fresh) return pending;
    throw new AppError('interaction_expired', { message: 'This sign-in makes no passkey now. Start it again.' });
  }

  async function page(ctx: Context, { flow, show }: FlowPage, place: Place, data: object = {}): Promise<void> {
    const pending = await login.pending(ctx, flow);
    if (!isPlaceOf(pending, place)) return login.resume(ctx, flow);
    const { email, profile } = pending.account;
    show(place === 'offer' ? 'login/passkey-offer' : 'login/passkey-add', {
      account: { email, name: profile.name },
      passkey: passkeyForm(flow, place),
      answerAction: `/login/${flow.uid}/offer`,
      othersUrl: `/login/${flow.uid}/protect`,
      cancelAction: `/login/${flow.uid}/cancel`,
      ...data,
    });
  }

  for (const place of ['protect', 'offer'] as const) {
    const path = PATHS[place];
    const action = place === 'offer' ? `${path}/passkey` : path;
    router.get(path, async (ctx) => page(ctx, await pages.open(ctx), place));

    router.post(`${action}/options`, async (ctx) => {
      const flow = await pages.call(ctx);
      const { account } = await maker(ctx, flow, place);
      ctx.body = await passkeys.addOptions(account, boundTo(flow));
    });

    router.post(action, (ctx) =>
      pages.submit(
        ctx,
        RegistrationForm,
        async ({ flow }, { response }) => {
          const pending = await maker(ctx, flow, place);
          const kept = { flow: flow.uid, session: flow.interaction.session?.uid };
          const about = { bound: boundTo(flow), by: originOf(ctx), kept };
          const { methods } = await passkeys.add(pending.account, response, about);
          await login.provedMore(ctx, flow, pending, methods);
        },
        (shown, _form, errors) => page(ctx, shown, place, { errors }),
      ),
    );
  }

  router.post('/login/:uid/offer', (ctx) =>
    pages.submit(
      ctx,
      AnswerForm,
      async ({ flow }, { decision }) => {
        const { account } = await login.pending(ctx, flow);
        if (decision === 'never') await passkeys.neverOffer(account.id);
        await login.resume(ctx, flow);
      },
      (shown, _form, errors) => page(ctx, shown, 'offer', { errors }),
    ),
  );
}

function isPlaceOf({ next }: Pending, place: Place): boolean {
  return place === 'offer' ? next.step === 'done' : next.step === 'protect' && next.kinds.includes('passkey');
}
