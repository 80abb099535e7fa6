/** Doors to the account as a whole: its address, all of its data, its end. Each asks for a fresh proof. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Accounts } from '../accounts/accounts.ts';
import type { Deletion } from '../accounts/deletion.ts';
import type { EmailChange } from '../accounts/email-change.ts';
import type { Export } from '../accounts/export.ts';
import type { Origin } from '../audit/events.ts';
import { readJson, readQuery } from '../http/body.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { accountAnswer } from './answers.ts';
import type { AccountScope, Caller, WhoAsks } from './caller.ts';
import { keptBy } from './current.ts';
import { EmailChangeRequest, EmailCode, NoQuery } from './fields.ts';

export interface PersonalDeps {
  caller: WhoAsks;
  accounts: Pick<Accounts, 'existing'>;
  sessions: Pick<Sessions, 'list'>;
  emailChange: EmailChange;
  personalData: Export;
  deletion: Pick<Deletion, 'close'>;
  originOf(ctx: Context): Origin;
}

export function mountPersonalApi(router: Router, deps: PersonalDeps): void {
  const { accounts, sessions, emailChange, personalData, deletion, originOf } = deps;

  async function fresh(ctx: Context, scope: AccountScope) {
    const who = await deps.caller(ctx, scope, { fresh: true });
    readQuery(ctx, NoQuery);
    return { who, account: await accounts.existing(who.accountId) };
  }

  /** A code belongs to the application, or to the browser session (that of the account pages), that asked for it. */
  const flowOf = ({ grantId, sessionUid }: Caller) =>
    grantId === undefined ? `session:${sessionUid}` : `grant:${grantId}`;

  router.post('/api/v1/account/email', async (ctx) => {
    const { who, account } = await fresh(ctx, 'account:write');
    const { email } = await readJson(ctx, EmailChangeRequest);
    const locale = account.profile.locale ?? 'en';
    await emailChange.start(account, { flow: flowOf(who), email, locale, by: originOf(ctx) });
    ctx.status = 204;
  });

  router.post('/api/v1/account/email/code', async (ctx) => {
    const { who, account } = await fresh(ctx, 'account:write');
    const { code } = await readJson(ctx, EmailCode);
    const keep = await keptBy(sessions, who);
    const asked = { flow: flowOf(who), code, keep, by: originOf(ctx) };
    ctx.body = accountAnswer(await emailChange.confirm(account, asked));
  });

  router.get('/api/v1/account/export', async (ctx) => {
    const { account } = await fresh(ctx, 'account:read');
    ctx.body = await personalData.of(account, originOf(ctx));
  });

  router.delete('/api/v1/account', async (ctx) => {
    const { account } = await fresh(ctx, 'account:write');
    const until = await deletion.close(account, originOf(ctx));
    ctx.body = { delete_after: new Date(until).toISOString() };
  });
}
