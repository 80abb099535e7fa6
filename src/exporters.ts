/** What each feature holds of a person, for the export. A feature that comes to hold something adds itself here. */
import type { Roles } from './access/roles.ts';
import { type Exporter, iso } from './accounts/export.ts';
import type { AuditLog } from './audit/log.ts';
import type { Factors } from './factors/factors.ts';
import type { Remembered } from './factors/remembered.ts';
import type { OutboxStore } from './jobs/store.ts';
import type { Consents } from './oidc/consents.ts';
import type { GrantStore } from './sessions/grant-store.ts';
import type { SessionStore } from './sessions/session-store.ts';

export interface ExportersOptions {
  sessions: Pick<SessionStore, 'ofAccount'>;
  grants: Pick<GrantStore, 'ofAccount'>;
  consents: Pick<Consents, 'ofAccount'>;
  audit: Pick<AuditLog, 'entries'>;
  outbox: Pick<OutboxStore, 'mailsTo'>;
  remembered: Pick<Remembered, 'list'>;
  factors: Pick<Factors, 'of'>;
  roles: Pick<Roles, 'held'>;
}

export function createExporters(options: ExportersOptions): Exporter[] {
  const { sessions, grants, consents, audit, outbox, remembered, factors, roles } = options;
  return [
    {
      name: 'sessions',
      of: async ({ id }) =>
        (await sessions.ofAccount(id)).map(({ row, payload }) => ({
          id: row.uid,
          signed_in_at: payload.loginTs === undefined ? null : iso(payload.loginTs * 1000),
          methods: payload.amr ?? [],
          ip: row.ip,
          user_agent: row.user_agent,
          created_at: iso(row.created_at),
          last_seen_at: iso(row.last_seen_at),
          expires_at: iso(row.expires_at),
        })),
    },
    {
      name: 'apps',
      of: async ({ id }) =>
        (await grants.ofAccount(id)).map(({ row, payload }) => ({
          id: row.id,
          client_id: row.client_id,
          session_id: row.session_uid,
          scopes: payload.openid?.scope?.split(' ') ?? [],
          claims: payload.openid?.claims ?? [],
          resources: payload.resources ?? {},
          ip: row.ip,
          user_agent: row.user_agent,
          created_at: iso(row.created_at),
          last_seen_at: iso(row.last_seen_at),
          refresh_until: row.offline_until === 0 ? null : iso(row.offline_until),
          expires_at: iso(row.expires_at),
        })),
    },
    {
      name: 'consents',
      of: async ({ id }) =>
        (await consents.ofAccount(id)).map(({ clientId, allowed, since }) => ({
          client_id: clientId,
          ...allowed,
          since: iso(since),
        })),
    },
    {
      name: 'factors',
      of: async ({ id }) =>
        (await factors.of(id)).map(({ kind, name, createdAt, lastUsedAt, details }) => ({
          ...{ kind, name, details, created_at: iso(createdAt), last_used_at: iso(lastUsedAt) },
        })),
    },
    {
      name: 'remembered_browsers',
      of: async ({ id }) =>
        (await remembered.list(id)).map(({ userAgent, ip, createdAt, lastUsedAt, expiresAt }) => ({
          ip,
          user_agent: userAgent,
          created_at: iso(createdAt),
          last_used_at: iso(lastUsedAt),
          expires_at: iso(expiresAt),
        })),
    },
    {
      name: 'roles',
      of: async ({ id }) => (await roles.held(id)).map(({ role, since }) => ({ name: role, since: iso(since) })),
    },
    {
      name: 'events',
      async of({ id }) {
        const events: unknown[] = [];
        for await (const page of audit.entries({ account: id })) events.push(...page);
        return events;
      },
    },
    {
      name: 'mails',
      of: async ({ emailCanonical }) =>
        (await outbox.mailsTo(emailCanonical)).map(({ template, state, attempts, created_at, expires_at }) => ({
          about: template,
          state,
          attempts,
          created_at: iso(created_at),
          expires_at: iso(expires_at),
        })),
    },
  ];
}
