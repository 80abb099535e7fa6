/** My authenticator apps: set one up, name it, remove it. */
import type Router from '@koa/router';
import { z } from 'zod';
import type { Factors } from '../factors/factors.ts';
import { qrCode } from '../factors/qr-code.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import type { Totp } from '../factors/totp.ts';
import { type Area, Button, csrfField, type Section, textField } from './area.ts';
import type { SignedIn } from './entrance.ts';
import { recoverySection } from './recovery-section.ts';

export interface TotpDeps {
  totp: Pick<Totp, 'begin' | 'confirm'>;
  factors: Pick<Factors, 'of' | 'kindsOf' | 'rename' | 'remove'>;
  recoveryCodes: Pick<RecoveryCodes, 'lacking' | 'create' | 'count' | 'areOf'>;
}

const LIST = '/account/security/totp';
const NEW = `${LIST}/new`;
const ProofForm = z.strictObject({ csrf: csrfField, code: z.string().max(100), name: textField.default('') });
const NameForm = z.strictObject({ csrf: csrfField, name: textField });

export function mountTotp(router: Router, area: Area, { totp, factors, recoveryCodes }: TotpDeps): void {
  const holder = ({ session }: SignedIn) => `session:${session.uid}`;
  const keeping = ({ session }: SignedIn) => ({ session: session.uid });

  const list: Section = {
    name: 'totp',
    nav: 'security',
    async data({ account }) {
      const own = (await factors.of(account.id)).filter(({ kind }) => kind === 'totp');
      return {
        newUrl: NEW,
        securityUrl: '/account/security',
        totps: own.map(({ id, name, createdAt, lastUsedAt }) => ({
          ...{ id, name, createdAt: iso(createdAt), lastUsedAt: lastUsedAt && iso(lastUsedAt) },
          renameAction: `${LIST}/${id}/rename`,
          removeAction: `${LIST}/${id}/remove`,
        })),
      };
    },
  };

  const setUp: Section = {
    name: 'totp-new',
    nav: 'security',
    freshAt: NEW,
    secret: true,
    async data(who) {
      const { id: accountId, email: label } = who.account;
      const { secret, uri } = await totp.begin({ accountId, label, holder: holder(who) });
      return { action: NEW, backUrl: LIST, setup: { secret, uri, qr: qrCode(uri) }, name: '' };
    },
  };

  router.get(LIST, area.page(list));
  router.get(NEW, area.page(setUp));

  router.post(
    NEW,
    area.action(
      setUp,
      ProofForm,
      async (ctx, who, { code, name }) => {
        const { id: accountId } = who.account;
        const asking = { by: area.originOf(ctx), kept: keeping(who) };
        await totp.confirm({ accountId, code, name, holder: holder(who) }, asking);
        if (!(await recoveryCodes.lacking(accountId))) return `${LIST}?notice=factor-added`;
        const codes = await recoveryCodes.create(accountId, asking);
        return { section: recoverySection({ factors, recoveryCodes }), data: { codes } };
      },
      ({ name }) => ({ name }),
    ),
  );

  router.post(`${LIST}/:id/rename`, async (ctx) => {
    const rename = area.action(list, NameForm, async (_ctx, who, { name }) => {
      await factors.rename(who.account.id, String(ctx['params'].id), name, area.originOf(ctx));
      return `${LIST}?notice=factor-renamed`;
    });
    await rename(ctx);
  });

  router.post(`${LIST}/:id/remove`, async (ctx) => {
    const work = async (_ctx: unknown, who: SignedIn) => {
      const asking = { by: area.originOf(ctx), kept: keeping(who) };
      await factors.remove(who.account.id, String(ctx['params'].id), asking);
      return `${LIST}?notice=factor-removed`;
    };
    await area.action({ ...list, freshAt: LIST }, Button, work)(ctx);
  });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
