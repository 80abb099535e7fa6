/** What each account page shows. */
import type { AuditLog } from '../audit/log.ts';
import type { I18n } from '../http/i18n.ts';
import { describeDevice } from '../sessions/device.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { SignedIn } from './entrance.ts';

/** On one page. */
const EVENTS = 30;

export type AccountSection = 'overview' | 'sessions' | 'apps' | 'security' | 'events';

export interface AccountViewsOptions {
  sessions: Sessions;
  audit: Pick<AuditLog, 'list'>;
  i18n: I18n;
  passwordLength: { min: number };
}

export function createAccountViews({ sessions, audit, i18n, passwordLength }: AccountViewsOptions) {
  const common = ({ account }: SignedIn) => ({
    account: {
      id: account.id,
      email: account.email,
      emailVerified: account.emailVerifiedAt !== null,
      name: account.profile.name,
      picture: null,
      createdAt: new Date(account.createdAt).toISOString(),
    },
    passwordChangedAt: account.passwordChangedAt === null ? null : new Date(account.passwordChangedAt).toISOString(),
  });

  function words(locale: string, key: string): string | null {
    const found = i18n.t(locale as never, key);
    return found === key ? null : found;
  }

  return {
    async overview(who: SignedIn) {
      const [list, apps] = await Promise.all([
        sessions.list(who.account.id, who.session.uid),
        sessions.apps(who.account.id),
      ]);
      const values = Object.fromEntries(
        Object.entries(who.account.profile).map(([field, value]) => [field, value ?? '']),
      );
      return { ...common(who), values, action: '/account', sessionsCount: list.length, appsCount: apps.length };
    },

    async sessions(who: SignedIn) {
      const list = await sessions.list(who.account.id, who.session.uid);
      return {
        ...common(who),
        sessions: list.map((entry) => ({
          id: entry.id,
          kind: entry.kind,
          current: entry.current,
          createdAt: entry.created_at,
          lastSeenAt: entry.last_seen_at,
          expiresAt: entry.expires_at,
          ip: entry.ip,
          device: entry.device,
          apps: entry.apps.map((app) => ({ clientId: app.client_id, name: app.name })),
          endAction: `/account/sessions/${encodeURIComponent(entry.id)}/end`,
        })),
        endOthersAction: list.some((entry) => !entry.current) ? '/account/sessions/end-others' : null,
      };
    },

    async apps(who: SignedIn, locale: string) {
      const apps = await sessions.apps(who.account.id);
      return {
        ...common(who),
        apps: apps.map((app) => ({
          clientId: app.client_id,
          name: app.name,
          uri: app.uri,
          scopes: app.scopes.map((scope) => scopeTitle(i18n, locale, scope)),
          grantedAt: app.granted_at,
          lastUsedAt: app.last_used_at,
          removeAction: `/account/apps/${encodeURIComponent(app.client_id)}/remove`,
        })),
      };
    },

    async events(who: SignedIn, locale: string, cursor?: string) {
      const page = await audit.list({ account: who.account.id }, EVENTS, cursor);
      const apps = new Map((await sessions.apps(who.account.id)).map((app) => [app.client_id, app.name]));
      return {
        ...common(who),
        nav: 'security',
        events: page.items.map((event) => {
          const { at, type, outcome, ip, user_agent, client_id, details, via } = event;
          const reason = `event-reason.${String(details['reason'])}`;
          return {
            at,
            failed: outcome === 'failure',
            title: words(locale, `event.${type}`) ?? type,
            reason: words(locale, reason),
            ip,
            device: user_agent === null ? null : describeDevice(user_agent).name,
            operator: via === 'cli' || via === 'admin',
            app: client_id && (apps.get(client_id) ?? null),
          };
        }),
        olderUrl: page.next === null ? null : `/account/events?before=${page.next}`,
      };
    },

    async security(who: SignedIn) {
      return {
        ...common(who),
        action: '/account/security',
        eventsUrl: '/account/events',
        minLength: passwordLength.min,
      };
    },
  };
}

/** A scope in words; one that no catalogue knows (of a resource) by its name. */
export function scopeTitle(i18n: I18n, locale: string, scope: string): string {
  const key = `scope.${scope}.title`;
  const words = i18n.t(locale as never, key);
  return words === key ? scope : words;
}
