/** Sample values of the API's description: of one person, so that they fit together. */
import type { z } from 'zod';
import { ERROR_STATUS, type ErrorCode } from '../errors.ts';
import type { AccountAnswer, AppList, DeletionAnswer, EventList, ExportAnswer, SessionList } from './answers.ts';

interface Examples {
  account: z.output<typeof AccountAnswer>;
  events: z.output<typeof EventList>;
  sessions: z.output<typeof SessionList>;
  apps: z.output<typeof AppList>;
  everything: z.output<typeof ExportAnswer>;
  deletion: z.output<typeof DeletionAnswer>;
}

export const EXAMPLES: Examples = {
  account: {
    id: 'usr_019a3f2c7e514d0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c',
    email: 'ada@example.com',
    email_verified: true,
    name: 'Ada King',
    given_name: 'Ada',
    family_name: 'King',
    preferred_username: 'ada',
    picture: null,
    locale: 'fr',
    zoneinfo: 'Europe/London',
    created_at: '2026-10-01T07:30:00.000Z',
    updated_at: '2026-11-02T09:41:10.000Z',
    password_changed_at: '2026-10-01T07:30:00.000Z',
  },
  everything: {
    issuer: 'https://login.example.com',
    exported_at: '2026-11-02T09:41:10.000Z',
    account: { id: 'usr_019a3f2c7e514d0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c', email: 'ada@example.com', status: 'active' },
    sessions: [{ id: 'sN3l0dXqk9Yv2b7Rk4w1a', ip: '192.0.2.7', last_seen_at: '2026-11-02T09:40:03.000Z' }],
    apps: [{ client_id: 'shop', scopes: ['openid', 'profile'] }],
    consents: [],
    events: [{ type: 'sign_in.succeeded', at: '2026-11-02T08:12:44.000Z', ip: '192.0.2.7' }],
    mails: [],
    codes_and_links: [{ purpose: 'register', sent_to: 'ada@example.com', created_at: '2026-10-01T07:29:12.000Z' }],
    factor_recovery: null,
  },
  deletion: { delete_after: '2026-11-16T09:41:10.000Z' },
  events: {
    items: [
      {
        id: '019a3f2c7e51002aYv2b7Rk4w1aQ',
        at: '2026-11-02T08:12:44.000Z',
        type: 'sign_in.failed',
        outcome: 'failure',
        reason: 'wrong_password',
        via: 'page',
        ip: '192.0.2.7',
        device: { name: 'Firefox on Linux', browser: 'Firefox', os: 'Linux' },
        client_id: 'shop',
        session_id: null,
      },
    ],
    next: null,
  },
  sessions: {
    items: [
      {
        id: 'sN3l0dXqk9Yv2b7Rk4w1a',
        kind: 'browser',
        current: true,
        created_at: '2026-11-02T08:12:44.000Z',
        last_seen_at: '2026-11-02T09:40:03.000Z',
        expires_at: '2026-11-16T09:40:03.000Z',
        ip: '192.0.2.7',
        device: { name: 'Firefox on Linux', browser: 'Firefox', os: 'Linux' },
        apps: [{ client_id: 'shop', name: 'Shop', scopes: ['openid', 'profile'], offline: false }],
      },
    ],
    next: null,
  },
  apps: {
    items: [
      {
        client_id: 'shop',
        name: 'Shop',
        uri: 'https://shop.example.com',
        first_party: false,
        scopes: ['openid', 'profile'],
        granted_at: '2026-11-02T08:12:44.000Z',
        last_used_at: '2026-11-02T09:40:03.000Z',
      },
    ],
    next: null,
  },
};

/** What a refusal means to whoever builds on the API. */
export const MEANINGS: Partial<Record<ErrorCode, string>> = {
  invalid_request: 'The body or query is not as described; `errors` names each fault.',
  weak_password: 'The password policy refuses the new password; `errors` says why.',
  unauthenticated: 'Neither an access token nor a signed-in session came with the request.',
  invalid_token: 'The access token is unknown, expired or revoked: refresh it, else sign in again.',
  insufficient_scope: 'The access token lacks the scope that `WWW-Authenticate` names.',
  fresh_proof_required:
    'The sign-in is older than ten minutes, or its second factor is missing: send the person to sign in with the `max_age` that `WWW-Authenticate` names.',
  second_factor_required:
    'The operator demands a second factor, and this sign-in had one only: send the person to sign in with the `acr_values` that `WWW-Authenticate` names.',
  invalid_code: 'It is not the code that was sent last, or that the app shows; `errors` says more.',
  code_expired: 'No code is awaited, or what it was for has expired or is done: begin again.',
  conflict: 'It does not fit what is there, or something changed meanwhile; `detail` and `errors` say what.',
  csrf: 'A change by cookie came without the page’s token in `X-CSRF-Token`, or from another site.',
  not_found: 'It is gone, or was never this person’s.',
  body_too_large: 'The body is longer than 64 KiB.',
  unsupported_media_type: 'The body is not application/json in UTF-8.',
  misdirected_request: 'The request came to a host that is not the issuer’s.',
  too_many_attempts: 'Wait as long as `Retry-After` says.',
  internal_error: 'A fault of the server, logged under `request_id`.',
  storage_unavailable: 'The store does not answer; nothing was changed. Wait as long as `Retry-After` says.',
  busy: 'Too much at once; nothing was changed. Wait as long as `Retry-After` says.',
};

const FAULTS: Partial<Record<ErrorCode, { field: string; code: string; detail: string }>> = {
  invalid_request: {
    field: 'locale',
    code: 'invalid_locale',
    detail: 'It must be a language tag of BCP 47, such as en or fr-CA.',
  },
  weak_password: { field: 'new_password', code: 'password_common', detail: 'This password is too common.' },
};

export function problemExample(code: ErrorCode, title: string): object {
  const fault = FAULTS[code];
  const body = { type: 'about:blank', title, status: ERROR_STATUS[code], detail: MEANINGS[code] ?? title, code };
  return { ...body, request_id: '4b1c9f0e-6d3a-4f5b-8a72-0c1d2e3f4a5b', ...(fault ? { errors: [fault] } : {}) };
}
