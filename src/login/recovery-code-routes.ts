/** Recovery codes are made on the way in, once, after the first factor was set up there. */
import type Router from '@koa/router';
import { AppError } from '../errors.ts';
import { hasSecondFactor } from '../factors/assurance.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import type { I18n } from '../http/i18n.ts';
import { textFile } from '../http/text-file.ts';
import { ButtonForm, SavedCodesForm } from './forms.ts';
import type { Pending } from './login.ts';
import type { LoginDeps } from './routes.ts';

export interface RecoveryCodeDeps extends LoginDeps {
  recoveryCodes: Pick<RecoveryCodes, 'lacking' | 'create' | 'areOf'>;
  i18n: Pick<I18n, 't'>;
  branding: { name: string };
}

export function mountRecoveryCodes(router: Router, deps: RecoveryCodeDeps): void {
  const { pages, login, recoveryCodes, i18n, branding, originOf } = deps;
  const nothing = { codes: null, downloadAction: null, doneAction: null };
  const personOf = ({ account }: Pending) => ({ email: account.email, name: account.profile.name });
  const base = (uid: string) => `/login/${uid}/protect/recovery`;

  /** Who proved a factor in this sign-in, and has no codes. */
  const allowed = async ({ step, account }: Pending) =>
    hasSecondFactor(step.amr) && (await recoveryCodes.lacking(account.id));

  router.get('/login/:uid/protect/recovery', async (ctx) => {
    const { flow, show } = await pages.open(ctx);
    const pending = await login.pending(ctx, flow);
    if (!(await allowed(pending))) return login.resume(ctx, flow);
    show('login/protect-recovery', { ...nothing, account: personOf(pending), action: base(flow.uid) });
  });

  router.post('/login/:uid/protect/recovery', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      async ({ flow, show }) => {
        const pending = await login.pending(ctx, flow);
        if (!(await allowed(pending))) return login.resume(ctx, flow);
        const codes = await recoveryCodes.create(pending.account.id, { by: originOf(ctx), kept: { flow: flow.uid } });
        const [downloadAction, doneAction] = [`${base(flow.uid)}/file`, `${base(flow.uid)}/done`];
        const account = personOf(pending);
        show('login/protect-recovery', { account, action: null, codes, downloadAction, doneAction });
        ctx.state['compress'] = false;
      },
      async ({ flow, show }, _form, errors) => {
        const account = personOf(await login.pending(ctx, flow));
        show('login/protect-recovery', { ...nothing, account, action: base(flow.uid), errors });
      },
    ),
  );

  /** The codes that the page holds come back as a file: here they are not kept. */
  router.post('/login/:uid/protect/recovery/file', (ctx) =>
    pages.submit(
      ctx,
      SavedCodesForm,
      async ({ flow, locale }, form) => {
        const { account } = await login.pending(ctx, flow);
        const codes = form.codes.split(' ');
        if (!(await recoveryCodes.areOf(account.id, codes))) throw new AppError('forbidden');
        const words = { brand: branding.name, email: account.email };
        textFile(ctx, 'recovery-codes.txt', [i18n.t(locale as never, 'codes.file', words), '', ...codes]);
      },
      () => {
        throw new AppError('forbidden');
      },
    ),
  );

  router.post('/login/:uid/protect/recovery/done', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      ({ flow }) => login.resume(ctx, flow),
      () => {
        throw new AppError('invalid_request');
      },
    ),
  );
}
