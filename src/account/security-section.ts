/** What protects my account, what is missing, and what happened lately: one screen, with a page of its own for each. */
import type Router from '@koa/router';
import type { FactorRecovery } from '../accounts/factor-recovery.ts';
import type { Account } from '../accounts/store.ts';
import type { Factor, Factors } from '../factors/factors.ts';
import type { Passkeys } from '../factors/passkeys.ts';
import type { Remembered } from '../factors/remembered.ts';
import { type Area, Button, type Section } from './area.ts';
import { createEventList, type EventListDeps } from './event-list.ts';

export interface SecurityDeps extends EventListDeps {
  factors: Pick<Factors, 'of'>;
  factorRecovery: Pick<FactorRecovery, 'stopBy'>;
  passkeys: Pick<Passkeys, 'possible'>;
  remembered: Pick<Remembered, 'list' | 'on'>;
  emailSignIn: 'off' | 'allowed' | 'instead';
}

/** Events on this screen. */
const LATELY = 6;
/** So few recovery codes are soon none. */
const FEW = 3;

export type Advice = 'second-step' | 'recovery' | 'recovery-few';

export function mountSecurity(router: Router, area: Area, deps: SecurityDeps): void {
  const { factors, factorRecovery, passkeys, remembered, emailSignIn } = deps;
  const events = createEventList(deps);

  const section: Section = {
    name: 'security',
    async data({ account }, ctx) {
      const [own, browsers, lately] = await Promise.all([
        factors.of(account.id),
        remembered.on ? remembered.list(account.id) : [],
        events.lately(account.id, String(ctx.state['locale']), LATELY),
      ]);
      const left = own.find(({ kind }) => kind === 'recovery')?.details['left'];
      const recovery = typeof left === 'number' ? left : 0;
      return {
        password: emailSignIn === 'instead' ? null : passwordOf(account),
        passkeys: namesOf(own, 'passkey'),
        passkeysPossible: passkeys.possible,
        totps: namesOf(own, 'totp'),
        recovery,
        mailed: emailSignIn !== 'off',
        browsers: remembered.on ? browsers.length : null,
        advice: adviceOn(own, recovery),
        events: lately,
      };
    },
  };

  router.get('/account/security', area.page(section));

  /** The button that every page of the area has while factors wait to be removed. */
  router.post(
    '/account/security/keep-factors',
    area.action(section, Button, async (ctx, { account }) => {
      const stopped = await factorRecovery.stopBy(account.id, area.originOf(ctx));
      return stopped ? '/account/security?notice=factors-kept' : '/account/security';
    }),
  );
}

function passwordOf({ passwordHash, passwordChangedAt }: Account) {
  const changedAt = passwordChangedAt === null ? null : new Date(passwordChangedAt).toISOString();
  return { set: passwordHash !== null, changedAt };
}

const namesOf = (own: Factor[], kind: Factor['kind']) =>
  own.filter((factor) => factor.kind === kind).map(({ name }) => name);

/** At most one thing at a time, so that it is read. */
function adviceOn(own: Factor[], recovery: number): Advice | null {
  if (!own.some(({ kind }) => kind !== 'recovery')) return 'second-step';
  if (recovery === 0) return 'recovery';
  return recovery <= FEW ? 'recovery-few' : null;
}
