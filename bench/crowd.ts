/**
 * Rows of many people: for each an account, a browser session, a grant and a refresh token, as years of use leave them.
 * Written with plain SQL in large transactions. Knows the schema, no server.
 */
import { randomUUID } from 'node:crypto';
import type Sqlite from 'better-sqlite3';
import { storedIdentifier } from '../src/artifacts/identifier.ts';
import type { Keyring } from '../src/keyring/keyring.ts';
import { takeRandom } from '../src/keyring/random.ts';

/** People of one transaction. */
const BATCH = 10_000;
const DAY_MS = 86_400_000;
const SPAN_MS = 30 * DAY_MS;

export function fill(
  connection: Sqlite.Database,
  keyring: Keyring,
  people: number,
  onProgress: (done: number) => void = () => {},
): void {
  connection.pragma('synchronous = OFF');
  connection.pragma('cache_size = -2097152');
  connection.pragma('wal_autocheckpoint = 100000');
  const insert = statements(connection);
  const now = Date.now();
  for (let from = 0; from < people; from += BATCH) {
    const batch = connection.transaction(() => {
      for (let n = from; n < Math.min(people, from + BATCH); n += 1) {
        insertPerson(insert, keyring, n, now - SPAN_MS + Math.floor((n * SPAN_MS) / people), now);
      }
    });
    batch.immediate();
    if (from % 100_000 === 0 && from > 0) onProgress(from);
  }
  connection.pragma('wal_checkpoint(TRUNCATE)');
}

function statements(connection: Sqlite.Database) {
  return {
    account: connection.prepare(
      `INSERT INTO accounts (id, email, email_canonical, email_verified_at, status, name, created_at, updated_at)
       VALUES (?, ?, ?, ?, 'active', ?, ?, ?)`,
    ),
    session: connection.prepare(
      `INSERT INTO sessions (id, uid, account_id, payload, ip, user_agent, created_at, last_seen_at, expires_at)
       VALUES (?, ?, ?, ?, '192.0.2.1', 'Mozilla/5.0', ?, ?, ?)`,
    ),
    grant: connection.prepare(
      `INSERT INTO grants (id, account_id, client_id, session_uid, payload, offline_until, ip, user_agent, created_at,
         last_seen_at, expires_at) VALUES (?, ?, 'app-es256', ?, ?, ?, '192.0.2.1', 'Mozilla/5.0', ?, ?, ?)`,
    ),
    refreshToken: connection.prepare(
      `INSERT INTO refresh_tokens (id, grant_id, account_id, client_id, payload, created_at, expires_at)
       VALUES (?, ?, ?, 'app-es256', ?, ?, ?)`,
    ),
  };
}

/** An identifier as it would have been made then. */
const identifier = (at: number) => at.toString(16).padStart(12, '0') + takeRandom(32).toString('base64url');

function insertPerson(
  insert: ReturnType<typeof statements>,
  keyring: Keyring,
  n: number,
  at: number,
  now: number,
): void {
  const expiresAt = now + SPAN_MS;
  const seconds = { iat: Math.floor(at / 1000), exp: Math.floor(expiresAt / 1000) };
  const [account, uid, grant] = [randomUUID(), takeRandom(16).toString('base64url'), identifier(at)];
  const [session, token] = [storedIdentifier(identifier(at)), storedIdentifier(identifier(at))];
  const sealed = (value: object, context: string) => keyring.seal('payload', JSON.stringify(value), context);
  const base = { ...seconds, accountId: account };
  const authorizations = { 'app-es256': { sid: takeRandom(16).toString('base64url'), grantId: grant } };
  const openid = { scope: 'openid profile email' };
  const email = `crowd${n}@example.com`;
  insert.account.run(account, email, email, at, `Crowd ${n}`, at, at);
  const kept = { kind: 'Session', uid, ...base, loginTs: seconds.iat, amr: ['pwd'], authorizations };
  insert.session.run(session, uid, account, sealed(kept, `sessions|payload|${session}`), at, at, expiresAt);
  const granted = { kind: 'Grant', clientId: 'app-es256', ...base, openid };
  const payload = sealed(granted, `grants|payload|${grant}`);
  insert.grant.run(grant, account, uid, payload, expiresAt, at, at, expiresAt);
  const chain = { kind: 'RefreshToken', grantId: grant, clientId: 'app-es256', ...base, scope: openid.scope };
  const chained = sealed(chain, `refresh_tokens|payload|${token}`);
  insert.refreshToken.run(token, grant, account, chained, at, expiresAt);
}
