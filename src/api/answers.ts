/** What the account API answers: the shapes, and our values in them. Times are ISO 8601 in UTC. */
import { z } from 'zod';
import type {} from 'zod-openapi';
import type { Account } from '../accounts/store.ts';
import { type AuditEntry, EVENT_TYPES } from '../audit/events.ts';
import { ERROR_STATUS, type ErrorCode } from '../errors.ts';
import { describeDevice } from '../sessions/device.ts';

const instant = z.iso.datetime().meta({ example: '2026-11-02T08:12:44.000Z' });
const text = (description: string) => z.string().meta({ description });

export const AccountAnswer = z
  .strictObject({
    id: text('The subject (`sub`) of tokens about this person; it never changes.'),
    email: text('The address that the person signs in with.'),
    email_verified: z.boolean(),
    // Not narrowed by the rules of a change: an operator may have imported other values.
    name: z.string().nullable(),
    given_name: z.string().nullable(),
    family_name: z.string().nullable(),
    preferred_username: z.string().nullable(),
    picture: z.string().nullable(),
    locale: z.string().nullable(),
    zoneinfo: z.string().nullable(),
    created_at: instant,
    updated_at: instant,
    password_changed_at: instant.nullable().meta({ description: 'Null without a password.' }),
  })
  .meta({ id: 'Account' });

export const SessionAnswer = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['browser', 'app']).meta({
      description: 'An application with refresh tokens is an entry of its own, which outlives the browser session.',
    }),
    current: z
      .boolean()
      .meta({ description: 'The entry that this very request belongs to; it stays when all others are ended.' }),
    created_at: instant,
    last_seen_at: instant,
    expires_at: instant,
    ip: z.string().nullable(),
    device: z.strictObject({
      name: text('In words, such as “Firefox on Linux”.'),
      browser: z.string().nullable(),
      os: z.string().nullable(),
    }),
    apps: z.array(
      z.strictObject({
        client_id: z.string(),
        name: z.string(),
        scopes: z.array(z.string()),
        offline: z.boolean().meta({ description: 'It holds refresh tokens.' }),
      }),
    ),
  })
  .meta({ id: 'Session' });

export const AppAnswer = z
  .strictObject({
    client_id: z.string(),
    name: z.string(),
    uri: z.string().nullable(),
    first_party: z.boolean(),
    scopes: z.array(z.string()),
    granted_at: instant,
    last_used_at: instant.nullable(),
  })
  .meta({ id: 'App' });

export const EventAnswer = z
  .strictObject({
    id: z.string(),
    at: instant,
    type: z.enum(EVENT_TYPES).meta({ description: 'What happened.' }),
    outcome: z.enum(['success', 'failure']),
    reason: z.string().nullable().meta({ description: 'Why, where there is more than one way.' }),
    via: z.enum(['page', 'api', 'protocol', 'cli', 'admin', 'system']).meta({
      description: 'The door: `cli` and `admin` are an operator, `system` is the service itself.',
    }),
    ip: z.string().nullable(),
    device: z.strictObject({
      name: text('In words, such as “Firefox on Linux”.'),
      browser: z.string().nullable(),
      os: z.string().nullable(),
    }),
    client_id: z.string().nullable(),
    session_id: z.string().nullable().meta({ description: 'The `id` of an entry of the list of sessions.' }),
  })
  .meta({ id: 'Event' });

const next = z
  .string()
  .nullable()
  .meta({ description: 'Send it as `cursor` for the next page; null on the last one.' });
export const SessionList = z.strictObject({ items: z.array(SessionAnswer), next }).meta({ id: 'SessionList' });
export const EventList = z.strictObject({ items: z.array(EventAnswer), next }).meta({ id: 'EventList' });
export const AppList = z.strictObject({ items: z.array(AppAnswer), next }).meta({ id: 'AppList' });

const part = z.record(z.string(), z.unknown());

export const ExportAnswer = z
  .object({
    issuer: z.string(),
    exported_at: instant,
    account: part,
    sessions: z.array(part),
    apps: z.array(part),
    consents: z.array(part),
    events: z.array(part),
    mails: z.array(part).meta({ description: 'What waits for the address or could not be brought to it.' }),
    codes_and_links: z.array(part).meta({ description: 'When codes and links were mailed; never what they were.' }),
    factor_recovery: part
      .nullable()
      .meta({ description: 'The waiting time of who lost every factor; null without one.' }),
  })
  .catchall(z.unknown())
  .meta({ id: 'Export' });

export const DeletionAnswer = z
  .strictObject({ delete_after: instant.meta({ description: 'Until then signing in again keeps the account.' }) })
  .meta({ id: 'Deletion' });

export const Problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: text('For people; decide by `code`.'),
    code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
    request_id: text('Quote it when you ask the operator; it is in the log and in `X-Request-ID`.'),
    errors: z
      .array(z.strictObject({ field: z.string(), code: z.string(), detail: z.string() }))
      .optional()
      .meta({ description: 'One entry for each fault of a member; the field is empty for the whole.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, as application/problem+json.' });

/** An entry of the record as the person whom it is about sees it: without what only an operator needs. */
export function eventAnswer(entry: AuditEntry): z.output<typeof EventAnswer> {
  const { id, at, type, outcome, via, ip, user_agent, client_id, session_id, details } = entry;
  const reason = typeof details['reason'] === 'string' ? details['reason'] : null;
  return { id, at, type, outcome, reason, via, ip, device: describeDevice(user_agent), client_id, session_id };
}

export function accountAnswer(account: Account): z.output<typeof AccountAnswer> {
  const { name, given_name, family_name, preferred_username, picture, locale, zoneinfo } = account.profile;
  return {
    id: account.id,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    ...{ name, given_name, family_name, preferred_username, picture, locale, zoneinfo },
    created_at: new Date(account.createdAt).toISOString(),
    updated_at: new Date(account.updatedAt).toISOString(),
    password_changed_at: account.passwordChangedAt === null ? null : new Date(account.passwordChangedAt).toISOString(),
  };
}
