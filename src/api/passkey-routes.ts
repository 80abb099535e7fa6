/** The account API's doors to a new passkey. Each call is described in passkey-operations.ts. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Accounts, Origin } from '../accounts/accounts.ts';
import type { Passkeys } from '../factors/passkeys.ts';
import { readJson, readQuery } from '../http/body.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Caller, WhoAsks } from './caller.ts';
import { keptBy } from './current.ts';
import { NoQuery } from './fields.ts';
import { PasskeyBody } from './passkey-operations.ts';

export interface PasskeyApiDeps {
  caller: WhoAsks;
  accounts: Pick<Accounts, 'existing'>;
  sessions: Pick<Sessions, 'list'>;
  passkeys: Pick<Passkeys, 'addOptions' | 'add'>;
  originOf(ctx: Context): Origin;
}

const PATH = '/api/v1/account/factors/passkeys';

export function mountPasskeyApi(router: Router, deps: PasskeyApiDeps): void {
  const { caller, accounts, sessions, passkeys, originOf } = deps;
  /** A challenge belongs to the application, or to the browser session, that asked for it. */
  const bound = ({ grantId, sessionUid }: Caller) =>
    grantId === undefined ? `session:${sessionUid}` : `grant:${grantId}`;

  router.post(`${PATH}/options`, async (ctx) => {
    const who = await caller(ctx, 'account:write', { fresh: true });
    readQuery(ctx, NoQuery);
    ctx.body = await passkeys.addOptions(await accounts.existing(who.accountId), bound(who));
  });

  router.post(PATH, async (ctx) => {
    const who = await caller(ctx, 'account:write', { fresh: true });
    readQuery(ctx, NoQuery);
    const { name, response } = await readJson(ctx, PasskeyBody);
    const about = { bound: bound(who), name, by: originOf(ctx), kept: await keptBy(sessions, who) };
    const { passkey } = await passkeys.add(await accounts.existing(who.accountId), response, about);
    ctx.body = {
      id: passkey.id,
      name: passkey.name,
      created_at: new Date(passkey.createdAt).toISOString(),
      synced: passkey.backupEligible,
    };
  });
}
