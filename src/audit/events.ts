/** What can stand in the record: the closed list of event types, and who asked. Knows no storage. */

export const EVENT_TYPES = [
  'account.closed',
  'account.created',
  'account.deleted',
  'account.disabled',
  'account.enabled',
  'account.exported',
  'account.invited',
  'account.profile_changed',
  'account.restored',
  'account.slowed',
  'account.verified',
  'address.allowed',
  'address.blocked',
  'address.released',
  'app.removed',
  'backup.made',
  'client.authentication_failed',
  'client.created',
  'client.removed',
  'client.secret_rotated',
  'client.updated',
  'code.failed',
  'code.sent',
  'consent.granted',
  'consent.refused',
  'database.restored',
  'device.forgotten',
  'device.remembered',
  'email.changed',
  'email.restored',
  'factor.added',
  'factor.failed',
  'factor.proved',
  'factor.removed',
  'factor.renamed',
  'factor_recovery.finished',
  'factor_recovery.started',
  'factor_recovery.stopped',
  'factors.reset',
  'instance.started',
  'instance.stopped',
  'key.rotated',
  'limit.refused',
  'outbox.discarded',
  'outbox.retried',
  'passkey.anomaly',
  'password.breach_check_failed',
  'password.change_failed',
  'password.changed',
  'password.reset',
  'recovery_codes.created',
  'refresh.replayed',
  'refresh.stolen',
  'registration.completed',
  'registration.started',
  'roles.changed',
  'secret.rotated',
  'session.ended',
  'sign_in.disowned',
  'sign_in.failed',
  'sign_in.succeeded',
  'token.issued',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** The door that a request came through; `system` is this service itself. */
export type Via = 'page' | 'api' | 'protocol' | 'cli' | 'admin' | 'system';

/** Who asks, as the doors tell it. Addresses and headers are what the front found out about the request. */
export interface Origin {
  via: Via;
  ip: string | null;
  userAgent: string | null;
  requestId: string | null;
  /** English words for the device, for mails that tell of a change. */
  device: string;
}

const nobody = { ip: null, userAgent: null, requestId: null };
/** Nobody asked: the service does it by itself. */
export const SYSTEM: Origin = { ...nobody, via: 'system', device: 'this service' };
/** Somebody with access to the machine. */
export const OPERATOR: Origin = { ...nobody, via: 'cli', device: 'the command line' };

export interface NewEvent {
  type: EventType;
  /** `success` unless said. */
  outcome?: 'success' | 'failure';
  account?: string | null | undefined;
  client?: string | null | undefined;
  session?: string | null | undefined;
  by: Origin;
  /** Never a secret, never what a stranger typed. */
  details?: Record<string, string | number | boolean | null | string[]>;
}

/** An entry as the operator sees it. Times are ISO 8601 in UTC. */
export interface AuditEntry {
  id: string;
  /** Its place in the chain; null for the second until it is sealed. */
  seq: number | null;
  at: string;
  type: EventType;
  outcome: 'success' | 'failure';
  account_id: string | null;
  client_id: string | null;
  session_id: string | null;
  via: Via;
  ip: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: Record<string, unknown>;
}
