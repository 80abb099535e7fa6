/**
 * The account API's doors: who asks, in what shape, and what is answered. The rules are in accounts and sessions.
 * Each call is described in operations.ts.
 */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Accounts, Origin } from '../accounts/accounts.ts';
import type { AuditLog } from '../audit/log.ts';
import { AppError } from '../errors.ts';
import { readJson, readQuery } from '../http/body.ts';
import type { ConnectedApp, SessionEntry, Sessions } from '../sessions/sessions.ts';
import { accountAnswer, eventAnswer } from './answers.ts';
import type { WhoAsks } from './caller.ts';
import { entriesFor, keptBy } from './current.ts';
import { type DeviceDeps, mountDeviceApi } from './device-routes.ts';
import { type FactorApiDeps, mountFactorApi } from './factor-routes.ts';
import { ExceptQuery, NoQuery, PageQuery, PasswordChange, ProfileChange } from './fields.ts';
import { compareKeys, noCursor, type Order, pageOf } from './paging.ts';
import { mountPasskeyApi, type PasskeyApiDeps } from './passkey-routes.ts';
import { mountPersonalApi, type PersonalDeps } from './personal-routes.ts';

export interface AccountApiDeps
  extends PersonalDeps,
    DeviceDeps,
    PasskeyApiDeps,
    Omit<FactorApiDeps, 'accounts' | 'sessions'> {
  caller: WhoAsks;
  accounts: Pick<Accounts, 'existing' | 'changeProfile' | 'changePassword'>;
  sessions: Pick<Sessions, 'list' | 'revoke' | 'revokeAll' | 'apps' | 'removeApp'>;
  audit: Pick<AuditLog, 'list'>;
  /** For the record, and the mail that tells of a change. */
  originOf(ctx: Context): Origin;
}

export function mountAccountApi(router: Router, deps: AccountApiDeps): void {
  const { caller, accounts, sessions, audit, originOf } = deps;
  mountPersonalApi(router, deps);
  mountDeviceApi(router, deps);
  mountFactorApi(router, deps);
  mountPasskeyApi(router, deps);

  router.get('/api/v1/account', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:read');
    readQuery(ctx, NoQuery);
    ctx.body = accountAnswer(await accounts.existing(accountId));
  });

  router.patch('/api/v1/account', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:write');
    readQuery(ctx, NoQuery);
    ctx.body = accountAnswer(
      await accounts.changeProfile(accountId, await readJson(ctx, ProfileChange), originOf(ctx)),
    );
  });

  router.post('/api/v1/account/password', async (ctx) => {
    const who = await caller(ctx, 'account:write', { fresh: true });
    readQuery(ctx, NoQuery);
    const { current_password: current, new_password: next } = await readJson(ctx, PasswordChange);
    const change = { current, next, origin: originOf(ctx), keep: await keptBy(sessions, who) };
    await accounts.changePassword(who.accountId, change).catch(notUnauthorized);
    ctx.status = 204;
  });

  router.get('/api/v1/account/events', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:read');
    const { limit, cursor } = readQuery(ctx, PageQuery);
    if (cursor !== undefined && !EVENT_ID.test(cursor)) throw noCursor();
    const page = await audit.list({ account: accountId }, limit, cursor);
    ctx.body = { items: page.items.map(eventAnswer), next: page.next };
  });

  router.get('/api/v1/account/sessions', async (ctx) => {
    const who = await caller(ctx, 'account:read');
    const query = readQuery(ctx, PageQuery);
    ctx.body = pageOf(await entriesFor(sessions, who), query, BY_LAST_USE);
  });

  router.delete('/api/v1/account/sessions', async (ctx) => {
    const who = await caller(ctx, 'account:write');
    readQuery(ctx, ExceptQuery);
    await sessions.revokeAll(who.accountId, await keptBy(sessions, who), originOf(ctx));
    ctx.status = 204;
  });

  router.delete('/api/v1/account/sessions/:id', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:write');
    readQuery(ctx, NoQuery);
    await sessions.revoke(accountId, ctx.params['id'] as string, originOf(ctx));
    ctx.status = 204;
  });

  router.get('/api/v1/account/apps', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:read');
    const query = readQuery(ctx, PageQuery);
    ctx.body = pageOf(await sessions.apps(accountId), query, BY_NAME);
  });

  router.delete('/api/v1/account/apps/:client_id', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:write');
    readQuery(ctx, NoQuery);
    await sessions.removeApp(accountId, ctx.params['client_id'] as string, originOf(ctx));
    ctx.status = 204;
  });
}

/** Events are paged by their ids. */
const EVENT_ID = /^[\w-]{1,100}$/;

const BY_LAST_USE: Order<SessionEntry> = {
  keyOf: ({ current, last_seen_at, id }) => [current ? '1' : '0', last_seen_at, id],
  compare: compareKeys('down', 'down', 'up'),
};

const BY_NAME: Order<ConnectedApp> = {
  keyOf: ({ name, client_id }) => [name.toLowerCase(), client_id],
  compare: compareKeys('up', 'up'),
};

/** A 401 is about the request's own credentials (RFC 9110 section 15.5.2): clients would refresh their token and try
 * the same wrong password again. */
function notUnauthorized(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'invalid_credentials') throw error;
  const message = 'The current password is not right.';
  throw new AppError('invalid_request', { message, fields: error.fields, cause: error });
}
