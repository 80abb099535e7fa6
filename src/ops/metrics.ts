/**
 * The closed list of what is measured, for Prometheus: a registry for each application. Labels have few values and are
 * never an id or an address. docs/metrics.md describes each; a test keeps both equal. Children are looked up once.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { within } from '../patience.ts';
import { areaOf, METHODS } from './areas.ts';
import { createDurations } from './durations.ts';

/** A database that takes longer to say what it holds is not waited for: the other numbers are asked for most then. */
const PATIENCE_MS = 2000;

/** What the metrics read of an event of the record. */
export interface RecordedEvent {
  type: string;
  details?: Record<string, unknown>;
}

/** What is asked at each scrape; undefined when it can't be told now. */
export interface Gauges {
  counts(what: 'sessions' | 'waiting' | 'dead'): Promise<number | undefined>;
  hashes(): { running: number; waiting: number; refused: number };
  /** Redis does not do its work. */
  degraded(): boolean;
  signingKeys(): Promise<Array<{ state: 'active' | 'next' | 'retired' }>>;
}

const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DATABASE_BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];
const STATUS_CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx'];
const KEY_STATES = ['active', 'next', 'retired'] as const;
const REGISTRATION_STEPS: Record<string, string> = {
  'registration.started': 'started',
  'registration.completed': 'completed',
  'account.invited': 'invited',
};

/** A limit that refused something. */
export type LimitName =
  | 'action'
  | 'page'
  | 'registration'
  | 'blocked'
  | 'account'
  | 'guesses'
  | 'code'
  | 'mail_address'
  | 'mail_purpose';

const FACTOR_CHANGES: Record<string, string> = {
  'factor.added': 'added',
  'factor.removed': 'removed',
  'factors.reset': 'reset',
};

/** How a waiting time goes on: `started`, `finished`, `stopped`, `lapsed`. */
function recoveryOutcome(type: string, reason: unknown): string {
  return reason === 'lapsed' ? 'lapsed' : type.slice('factor_recovery.'.length);
}

export type Metrics = ReturnType<typeof createMetrics>;

/** `worker`: the number of this process among several; each has its own counts. */
export function createMetrics({ worker }: { worker?: number | undefined } = {}) {
  const registry = new Registry();
  const registers = [registry];
  if (worker !== undefined) registry.setDefaultLabels({ worker: String(worker) });

  /** A counter whose children are found once for each combination of values. */
  function counter(name: string, help: string, labelNames: string[]) {
    const metric = new Counter({ name: `latchkey_${name}`, help, labelNames, registers });
    const children = new Map<string, { inc(): void }>();
    return (...values: string[]): void => {
      const key = values.join('|');
      let child = children.get(key);
      if (!child) {
        child = metric.labels(...values);
        children.set(key, child);
      }
      child.inc();
    };
  }

  const durations = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    createDurations({ name: `latchkey_${name}`, help, labelNames, buckets, registry });

  const signIns = counter('sign_ins_total', 'Sign-ins that were tried.', ['method', 'outcome', 'reason']);
  const factors = counter('factor_tries_total', 'Second factors that were tried.', ['kind', 'outcome']);
  const factorChanges = counter('factor_changes_total', 'Factors that were set up or removed.', ['kind', 'change']);
  const recoveries = counter('factor_recoveries_total', 'Waiting times of who lost every factor.', ['outcome']);
  const registrations = counter('registrations_total', 'Steps towards new accounts.', ['step']);
  const tokens = counter('tokens_issued_total', 'Answers with tokens.', ['grant']);
  const refreshes = counter('refreshes_total', 'Uses of refresh tokens.', ['outcome']);
  const created = counter('sessions_created_total', 'Sessions that began.', ['kind']);
  const ended = counter('sessions_ended_total', 'Sessions that were ended before their time.', ['kind', 'reason']);
  const limits = counter('limits_hit_total', 'Requests and guesses that a limit refused.', ['limit']);
  const mails = counter('mails_total', 'Tries to deliver a mail.', ['outcome']);
  const notices = counter('logout_notices_total', 'Tries to deliver a back-channel logout notice.', ['outcome']);
  const labels = ['area', 'method', 'status_class'];
  const http = durations('http_request_duration_seconds', 'Time to answer a request.', labels, HTTP_BUCKETS);
  const database = durations(
    'database_duration_seconds',
    'Time of a read, or of a write with its commit.',
    ['operation'],
    DATABASE_BUCKETS,
  );

  return {
    registry,
    limited: (limit: LimitName) => limits(limit),
    protocol: {
      tokensIssued: (grant: string) => tokens(grant),
      refreshed: (outcome: string) => refreshes(outcome),
      sessionCreated: () => created('browser'),
      limited: () => limits('protocol'),
    },
    database: (operation: 'read' | 'write', seconds: number) => database(seconds, operation),

    /** A delivery of the outbox ended. */
    delivered(kind: string, outcome: 'sent' | 'failed' | 'dead'): void {
      if (kind === 'mail') mails(outcome);
      if (kind === 'logout') notices(outcome);
    },

    finished({ method, path, status, seconds }: { method: string; path: string; status: number; seconds: number }) {
      http(
        seconds,
        areaOf(path),
        METHODS.has(method) ? method : 'other',
        STATUS_CLASSES[Math.floor(status / 100)] ?? 'other',
      );
    },

    /** An event of the record, after its commit. */
    recorded({ type, details = {} }: RecordedEvent): void {
      const step = REGISTRATION_STEPS[type] ?? (details['how'] === 'invitation' ? 'invitation_accepted' : undefined);
      if (step) registrations(step);
      if (type === 'sign_in.succeeded') signIns(String(details['method']), 'ok', 'none');
      if (type === 'sign_in.failed') signIns(String(details['method']), 'failed', String(details['reason']));
      const change = FACTOR_CHANGES[type];
      if (type.startsWith('factor_recovery.')) recoveries(recoveryOutcome(type, details['reason']));
      if (change) factorChanges(String(details['kind'] ?? 'all'), change);
      if (type === 'factor.proved') factors(String(details['kind']), 'ok');
      if (type === 'factor.failed') factors(String(details['kind']), String(details['reason']));
      if (type === 'token.issued') created('app');
      if (type === 'session.ended') ended(String(details['kind']), String(details['reason']));
      if (type === 'code.failed' && details['reason'] === 'spent') limits('code');
    },

    /** Node's own and what is asked at each scrape. Once. */
    watch({ counts, hashes, degraded, signingKeys }: Gauges): void {
      collectDefaultMetrics({ register: registry });
      gauge('sessions_active', 'Browser sessions of people that are signed in, in the whole database.', () =>
        counts('sessions'),
      );
      gauge('outbox_waiting', 'Deliveries that wait.', () => counts('waiting'));
      gauge('outbox_dead', 'Deliveries that failed for good and wait for the operator.', () => counts('dead'));
      gauge('password_hashes_running', 'Password hashes being computed.', () => hashes().running);
      gauge('password_hashes_waiting', 'Sign-ins waiting for their password hash.', () => hashes().waiting);
      gauge('artifact_store_degraded', '1 while Redis does not do its work.', () => Number(degraded()));
      new Counter({
        name: 'latchkey_password_hashes_refused_total',
        help: 'Sign-ins sent away because too many hashes waited.',
        registers,
        collect() {
          this.reset();
          this.inc(hashes().refused);
        },
      });
      new Gauge({
        name: 'latchkey_signing_keys',
        help: 'Keys that sign tokens or did.',
        labelNames: ['state'],
        registers,
        async collect() {
          this.reset();
          const keys = await within(
            PATIENCE_MS,
            signingKeys().catch(() => undefined),
            undefined,
          );
          if (!keys) return;
          for (const state of KEY_STATES) this.set({ state }, keys.filter((key) => key.state === state).length);
        },
      });
    },
  };

  function gauge(name: string, help: string, value: () => number | undefined | Promise<number | undefined>): void {
    new Gauge({
      name: `latchkey_${name}`,
      help,
      registers,
      async collect() {
        const now = await within(PATIENCE_MS, Promise.resolve(value()), undefined);
        // Nothing is better than an old value.
        if (now === undefined) this.remove();
        else this.set(now);
      },
    });
  }
}
