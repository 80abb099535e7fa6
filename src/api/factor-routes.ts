/** The account API's doors to factors. Each call is described in factor-operations.ts. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Accounts, Origin } from '../accounts/accounts.ts';
import { AppError } from '../errors.ts';
import type { Factors } from '../factors/factors.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import type { Totp } from '../factors/totp.ts';
import { readJson, readQuery } from '../http/body.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Caller, WhoAsks } from './caller.ts';
import { keptBy } from './current.ts';
import { factorAnswer } from './factor-answers.ts';
import { CodeBody, NameBody } from './factor-operations.ts';
import { NoQuery } from './fields.ts';

export interface FactorApiDeps {
  caller: WhoAsks;
  accounts: Pick<Accounts, 'existing'>;
  sessions: Pick<Sessions, 'list'>;
  factors: Pick<Factors, 'of' | 'kindsOf' | 'rename' | 'remove'>;
  totp: Pick<Totp, 'begin' | 'confirm'>;
  recoveryCodes: Pick<RecoveryCodes, 'count' | 'lacking' | 'create'>;
  originOf(ctx: Context): Origin;
}

const PATH = '/api/v1/account/factors';
const FRESH = { fresh: true };

export function mountFactorApi(router: Router, deps: FactorApiDeps): void {
  const { caller, accounts, factors, totp, recoveryCodes, sessions, originOf } = deps;
  const askingOf = async (ctx: Context, who: Caller) => ({ by: originOf(ctx), kept: await keptBy(sessions, who) });

  async function factor(accountId: string, id: string) {
    const found = (await factors.of(accountId)).find((each) => each.id === id);
    if (!found) throw new AppError('not_found', { message: 'There is no such factor.' });
    return factorAnswer(found);
  }

  router.get(PATH, async (ctx) => {
    const { accountId } = await caller(ctx, 'account:read');
    readQuery(ctx, NoQuery);
    ctx.body = { items: (await factors.of(accountId)).map(factorAnswer), next: null };
  });

  router.post(`${PATH}/totp`, async (ctx) => {
    const { accountId } = await caller(ctx, 'account:write', FRESH);
    readQuery(ctx, NoQuery);
    const { email: label } = await accounts.existing(accountId);
    const { id, secret, uri, expiresAt } = await totp.begin({ accountId, label });
    ctx.body = { id, secret, otpauth_uri: uri, expires_at: new Date(expiresAt).toISOString() };
  });

  router.post(`${PATH}/totp/:id`, async (ctx) => {
    const who = await caller(ctx, 'account:write', FRESH);
    readQuery(ctx, NoQuery);
    const { code, name = '' } = await readJson(ctx, CodeBody);
    const { accountId } = who;
    const asking = await askingOf(ctx, who);
    const id = await totp.confirm({ accountId, code, name, id: ctx.params['id'] as string }, asking);
    const codes = (await recoveryCodes.lacking(accountId)) ? await recoveryCodes.create(accountId, asking) : null;
    ctx.body = { factor: await factor(accountId, id), recovery_codes: codes };
  });

  router.get(`${PATH}/recovery-codes`, async (ctx) => {
    const { accountId } = await caller(ctx, 'account:read');
    readQuery(ctx, NoQuery);
    const { left = 0, total = 0, createdAt } = (await recoveryCodes.count(accountId)) ?? {};
    ctx.body = { left, total, created_at: createdAt === undefined ? null : new Date(createdAt).toISOString() };
  });

  router.post(`${PATH}/recovery-codes`, async (ctx) => {
    const who = await caller(ctx, 'account:write', FRESH);
    readQuery(ctx, NoQuery);
    if ((await factors.kindsOf(who.accountId)).length === 0) {
      const message = 'Recovery codes replace a factor that was lost; the account has none yet.';
      throw new AppError('conflict', { message });
    }
    ctx.body = { codes: await recoveryCodes.create(who.accountId, await askingOf(ctx, who)) };
  });

  router.patch(`${PATH}/:id`, async (ctx) => {
    const { accountId } = await caller(ctx, 'account:write');
    readQuery(ctx, NoQuery);
    const { name } = await readJson(ctx, NameBody);
    const id = ctx.params['id'] as string;
    await factors.rename(accountId, id, name, originOf(ctx));
    ctx.body = await factor(accountId, id);
  });

  router.delete(`${PATH}/:id`, async (ctx) => {
    const who = await caller(ctx, 'account:write', FRESH);
    readQuery(ctx, NoQuery);
    await factors.remove(who.accountId, ctx.params['id'] as string, await askingOf(ctx, who));
    ctx.status = 204;
  });
}
