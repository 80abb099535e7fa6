/** My passkeys: which there are, one more, other names, one less. */
import type Router from '@koa/router';
import { z } from 'zod';
import type { Factors } from '../factors/factors.ts';
import { jsonField, RegistrationResponse } from '../factors/passkey-response.ts';
import type { Passkeys } from '../factors/passkeys.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import { type Area, Button, csrfField, type Section, textField } from './area.ts';
import type { SignedIn } from './entrance.ts';
import { recoverySection } from './recovery-section.ts';

export interface PasskeySectionDeps {
  passkeys: Passkeys;
  factors: Pick<Factors, 'of' | 'kindsOf' | 'rename' | 'remove'>;
  recoveryCodes: Pick<RecoveryCodes, 'lacking' | 'create' | 'count' | 'areOf'>;
}

const PATH = '/account/security/passkey';
const NEW = `${PATH}/new`;

const NewForm = z.strictObject({
  csrf: csrfField,
  name: textField.optional(),
  response: jsonField(RegistrationResponse),
});
const RenameForm = z.strictObject({ csrf: csrfField, name: textField });

export function mountPasskeySection(router: Router, area: Area, deps: PasskeySectionDeps): void {
  const { passkeys, factors, recoveryCodes } = deps;
  const keeping = ({ session }: SignedIn) => ({ session: session.uid });
  const bound = ({ session }: SignedIn) => `session:${session.uid}`;
  const list: Section = {
    name: 'passkeys',
    nav: 'security',
    data: async ({ account }) => ({
      newUrl: passkeys.possible ? NEW : null,
      securityUrl: '/account/security',
      passkeys: (await passkeys.source.of(account.id)).map(({ id, name, createdAt, lastUsedAt, details }) => ({
        id,
        name: name ?? details['authenticator'],
        createdAt: new Date(createdAt).toISOString(),
        lastUsedAt: lastUsedAt && new Date(lastUsedAt).toISOString(),
        authenticator: details['authenticator'] === name ? null : details['authenticator'],
        synced: details['synced'],
        renameAction: `${PATH}/${id}/rename`,
        removeAction: `${PATH}/${id}/remove`,
      })),
    }),
  };
  const adding: Section = {
    name: 'passkey-new',
    nav: 'security',
    freshAt: NEW,
    data: async () => ({ passkey: { action: NEW, optionsUrl: `${NEW}/options` }, backUrl: PATH }),
  };

  router.get(PATH, area.page(list));
  router.get(NEW, passkeys.possible ? area.page(adding) : (ctx) => ctx.redirect(PATH));

  router.post(`${NEW}/options`, async (ctx) => {
    const who = await area.call(ctx);
    ctx.body = await passkeys.addOptions(who.account, bound(who));
  });

  router.post(
    NEW,
    area.action(adding, NewForm, async (ctx, who, { name, response }) => {
      const asking = { by: area.originOf(ctx), kept: keeping(who) };
      await passkeys.add(who.account, response, { bound: bound(who), name, ...asking });
      if (!(await recoveryCodes.lacking(who.account.id))) return `${PATH}?notice=factor-added`;
      const codes = await recoveryCodes.create(who.account.id, asking);
      return { section: recoverySection({ factors, recoveryCodes }), data: { codes } };
    }),
  );

  router.post(
    `${PATH}/:id/rename`,
    area.action(list, RenameForm, async (ctx, who, { name }) => {
      await factors.rename(who.account.id, String(ctx['params'].id), name, area.originOf(ctx));
      return `${PATH}?notice=factor-renamed`;
    }),
  );

  router.post(
    `${PATH}/:id/remove`,
    area.action({ ...list, freshAt: PATH }, Button, async (ctx, who) => {
      const asking = { by: area.originOf(ctx), kept: keeping(who) };
      await factors.remove(who.account.id, String(ctx['params'].id), asking);
      return `${PATH}?notice=factor-removed`;
    }),
  );
}
