/** The second step by a typed code: an authenticator app's, or one of the recovery codes that were saved. */
import type Router from '@koa/router';
import { AppError } from '../errors.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import type { Totp } from '../factors/totp.ts';
import type { Verdict } from '../factors/tries.ts';
import { lostWay } from './factor-recovery-routes.ts';
import { otherWays } from './factor-routes.ts';
import { FactorForm } from './forms.ts';
import { type Pending, tooOften } from './login.ts';
import type { FlowPage } from './pages.ts';
import type { LoginDeps } from './routes.ts';

export interface CodeDeps extends LoginDeps {
  totp: Pick<Totp, 'prove'>;
  recoveryCodes: Pick<RecoveryCodes, 'prove'>;
}

type CodeKind = 'totp' | 'recovery';

/** Words for what was wrong; `left` is how many tries are. */
const WORDS = {
  totp: { wrong: 'totp_wrong', used: 'totp_used' },
  recovery: { wrong: 'recovery_wrong', used: 'recovery_used' },
} as const;

export function mountCodes(router: Router, deps: CodeDeps): void {
  const { pages, login, totp, recoveryCodes, devices, originOf } = deps;

  async function form({ flow, show }: FlowPage, pending: Pending, kind: CodeKind, data: object): Promise<void> {
    const lost = await lostWay(deps, flow, pending);
    show(`login/${kind}`, {
      action: `/login/${flow.uid}/${kind}`,
      account: { email: pending.account.email, name: pending.account.profile.name },
      ways: otherWays(flow, pending, kind),
      lost,
      remember: login.rememberable,
      cancelAction: `/login/${flow.uid}/cancel`,
      ...data,
    });
  }

  const awaits = ({ next }: Pending, kind: CodeKind) => next.step === 'factor' && next.kinds.includes(kind);

  for (const [kind, proves] of [
    ['totp', totp.prove],
    ['recovery', recoveryCodes.prove],
  ] as const) {
    const path = `/login/:uid/${kind}`;

    router.get(path, async (ctx) => {
      const page = await pages.open(ctx);
      const pending = await login.pending(ctx, page.flow);
      if (!awaits(pending, kind)) return login.resume(ctx, page.flow);
      await form(page, pending, kind, {});
    });

    router.post(path, (ctx) =>
      pages.submit(
        ctx,
        FactorForm,
        async ({ flow }, { code, remember }) => {
          const pending = await login.pending(ctx, flow);
          if (!awaits(pending, kind)) return login.resume(ctx, flow);
          const left = await login.tryFactor(flow);
          const { id: accountId, emailCanonical: address } = pending.account;
          const verdict = await proves({ accountId, address, by: originOf(ctx), device: devices.of(ctx) }, code);
          if (verdict === 'right') {
            return login.provedMore(ctx, flow, pending, ['otp'], { remember: remember === 'yes' });
          }
          if (left === 0) throw tooOften();
          throw refusal(kind, verdict, left);
        },
        async (page, _form, errors) => form(page, await login.pending(ctx, page.flow), kind, { errors }),
      ),
    );
  }
}

function refusal(kind: CodeKind, verdict: Exclude<Verdict, 'right'>, left: number): AppError {
  const fields = [{ field: 'code', code: WORDS[kind][verdict], values: { left } }];
  return new AppError('invalid_code', { message: 'This code is not right, or was used already.', fields });
}
