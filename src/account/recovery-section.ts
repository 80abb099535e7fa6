/** My recovery codes: how many are left, new ones, and the ones just made as a file. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import { AppError } from '../errors.ts';
import type { Factors } from '../factors/factors.ts';
import type { RecoveryCodes } from '../factors/recovery-codes.ts';
import type { I18n } from '../http/i18n.ts';
import { textFile } from '../http/text-file.ts';
import { type Area, Button, csrfField, type Section } from './area.ts';
import type { SignedIn } from './entrance.ts';

export interface RecoveryDeps {
  factors: Pick<Factors, 'kindsOf'>;
  recoveryCodes: Pick<RecoveryCodes, 'create' | 'count' | 'areOf'>;
  i18n: Pick<I18n, 't'>;
  branding: { name: string };
}

const PATH = '/account/security/recovery';
const FileForm = z.strictObject({ csrf: csrfField, codes: z.string().max(400) });

export function recoverySection({ factors, recoveryCodes }: Pick<RecoveryDeps, 'factors' | 'recoveryCodes'>): Section {
  return {
    name: 'recovery',
    nav: 'security',
    secret: true,
    async data({ account }) {
      const count = await recoveryCodes.count(account.id);
      return {
        action: PATH,
        securityUrl: '/account/security',
        downloadAction: `${PATH}/file`,
        hasFactor: (await factors.kindsOf(account.id)).length > 0,
        count: count && { ...count, createdAt: new Date(count.createdAt).toISOString() },
      };
    },
  };
}

export function mountRecovery(router: Router, area: Area, deps: RecoveryDeps): void {
  const { factors, recoveryCodes, i18n, branding } = deps;
  const section = recoverySection(deps);

  router.get(PATH, area.page(section));

  router.post(
    PATH,
    area.action({ ...section, freshAt: PATH }, Button, async (ctx, { account }) => {
      if ((await factors.kindsOf(account.id)).length === 0) return PATH;
      return { section, data: { codes: await recoveryCodes.create(account.id, { by: area.originOf(ctx) }) } };
    }),
  );

  /** The codes that the page holds come back as a file: here they are not kept. */
  router.post(
    `${PATH}/file`,
    area.action(section, FileForm, async (ctx, who, form) => file(ctx, who, form.codes.split(' '))),
  );

  async function file(ctx: Context, { account }: SignedIn, codes: string[]): Promise<undefined> {
    if (!(await recoveryCodes.areOf(account.id, codes))) throw new AppError('forbidden');
    const words = i18n.t(ctx.state['locale'], 'codes.file', { brand: branding.name, email: account.email });
    textFile(ctx, 'recovery-codes.txt', [words, '', ...codes]);
  }
}
