/** The account pages, a file a section: who I am, where I am signed in, which applications may what, my password. Doors
 * only. */
import type Router from '@koa/router';
import { mountApps } from './apps-section.ts';
import { type AreaDeps, createArea } from './area.ts';
import { type DataDeps, mountData } from './data-section.ts';
import { mountDevices } from './devices-section.ts';
import { type EmailDeps, mountEmail } from './email-section.ts';
import { type EventsDeps, mountEvents } from './events-section.ts';
import { mountOverview, type OverviewDeps } from './overview-section.ts';
import { mountPasskeySection, type PasskeySectionDeps } from './passkey-section.ts';
import { mountPassword, type PasswordDeps } from './password-section.ts';
import { mountRecovery, type RecoveryDeps } from './recovery-section.ts';
import { mountSecurity, type SecurityDeps } from './security-section.ts';
import { mountSessions } from './sessions-section.ts';
import { mountSigning } from './signing.ts';
import { mountTotp, type TotpDeps } from './totp-section.ts';

export type AccountPagesDeps = AreaDeps &
  OverviewDeps &
  EventsDeps &
  SecurityDeps &
  PasswordDeps &
  EmailDeps &
  DataDeps &
  TotpDeps &
  RecoveryDeps &
  PasskeySectionDeps &
  Parameters<typeof mountDevices>[2];

export function mountAccountPages(router: Router, deps: AccountPagesDeps): void {
  const area = createArea(deps);
  mountSigning(router, area, deps);
  mountOverview(router, area, deps);
  mountSessions(router, area, deps);
  mountApps(router, area, deps);
  mountSecurity(router, area, deps);
  if (deps.emailSignIn !== 'instead') mountPassword(router, area, deps);
  if (deps.remembered.on) mountDevices(router, area, deps);
  mountTotp(router, area, deps);
  mountRecovery(router, area, deps);
  mountPasskeySection(router, area, deps);
  mountEvents(router, area, deps);
  mountEmail(router, area, deps);
  mountData(router, area, deps);
}
