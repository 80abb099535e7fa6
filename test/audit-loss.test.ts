/** A change whose record can't be written does not happen: each type of event in turn, on both engines. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import pino from 'pino';
import { EVENT_TYPES, type EventType, OPERATOR, SYSTEM } from '../src/audit/events.ts';
import { NO_CONFIG_FILE } from '../src/config/file.ts';
import { openForCommand } from '../src/open.ts';
import { apiUser, SCOPE } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signedIn, somebody, token } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { createVisitor, type Visitor } from './support/visitor.ts';

const NEXT = 'another long enough sentence';
const PUBLIC = { token_endpoint_auth_method: 'none' };

/** Events of what was refused or changes nothing: the answer is no success with them or without. */
const CHANGES_NOTHING: EventType[] = [
  'account.exported',
  'account.slowed',
  'client.authentication_failed',
  'code.failed',
  'consent.refused',
  'instance.started',
  'instance.stopped',
  'password.breach_check_failed',
  'password.change_failed',
  'refresh.replayed',
  'sign_in.failed',
];

/** Nothing records these yet. Who writes the code moves its types to ACTIONS. */
const AWAITED: EventType[] = [
  'email.changed',
  'email.restored',
  'device.forgotten',
  'device.remembered',
  'factor.added',
  'factor.failed',
  'factor.proved',
  'factor.removed',
  'factor.renamed',
  'factors.reset',
  'passkey.anomaly',
  'recovery_codes.created',
  'sign_in.disowned',
];

/** Prepares, and gives the act; its HTTP answer, or nothing when it is a call that rejects. */
type Action = (app: TestApp) => Promise<() => Promise<{ status: number } | unknown>>;

async function loginPage(app: TestApp, metadata: object = {}) {
  const client = await app.client({ ...metadata });
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id);
  return { client, visitor, request, page: await visitor.open(request.url) };
}

const codeIn = (text: string) => /\b\d{6}\b/.exec(text)?.[0] as string;

/** The last post of a form, not followed. */
const posting = (
  visitor: Visitor,
  page: { url: string; html: string },
  values: Record<string, string>,
  which: string,
) => {
  const { action, body } = visitor.fill(page as never, values, which);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return () => visitor.request(action, { method: 'POST', headers, body });
};

const account =
  (
    act: (app: TestApp, id: string) => Promise<unknown>,
    prepare?: (app: TestApp, id: string) => Promise<unknown>,
  ): Action =>
  async (app) => {
    const { id } = await somebody(app);
    await prepare?.(app, id);
    return () => act(app, id);
  };

const client =
  (act: (app: TestApp, id: string) => Promise<unknown>): Action =>
  async (app) => {
    const { client_id: id } = await app.client();
    return () => act(app, id);
  };

const api =
  (line: (user: Awaited<ReturnType<typeof apiUser>>) => Promise<string> | string, json?: object): Action =>
  async (app) => {
    const user = await apiUser(app);
    const [method, path] = (await line(user)).split(' ') as [string, string];
    const headers = { authorization: `Bearer ${user.tokens.access_token}`, 'content-type': 'application/json' };
    return () => fetch(app.url + path, { method, headers, ...(json ? { body: JSON.stringify(json) } : {}) });
  };

async function registering(app: TestApp) {
  const { visitor, page } = await loginPage(app);
  const form = await visitor.open(page.url.replace('/login/', '/register/'));
  const email = `new${randomBytes(4).toString('hex')}@example.com`;
  return { visitor, form, email, values: { email, name: 'New', password: PASSWORD } };
}

const deadLetter =
  (act: (app: TestApp, id: string) => Promise<unknown>): Action =>
  async (app) => {
    const data = { when: new Date().toISOString(), ip: null, device: 'x' };
    await app.services.db.write(function* () {
      yield* app.services.outbox.enqueue('logout', data as never);
    });
    const [row] = await app.services.db.all<{ id: string }>('SELECT id FROM outbox ORDER BY id DESC LIMIT 1');
    const later = Date.now() + 86_400_000;
    await app.services.db.run("UPDATE outbox SET state = 'dead', due_at = ?, expires_at = ?", later, later * 2);
    return () => act(app, String(row?.id));
  };

const rule = (network: string, verdict: 'allow' | 'block') => ({ network, verdict, reason: 'a test', expiresAt: null });

const ACTIONS: Partial<Record<EventType, Action>> = {
  'account.created': async (app) => () => somebody(app),
  'account.closed': account((app, id) => app.services.deletion.remove(id)),
  'account.deleted': account(
    (app) => app.services.deletion.sweep(10),
    (app, id) =>
      app.services.db.run("UPDATE accounts SET status = 'closed', delete_after = ? WHERE id = ?", Date.now() - 1, id),
  ),
  'account.disabled': account((app, id) => app.services.accounts.disable(id)),
  'account.enabled': account(
    (app, id) => app.services.accounts.enable(id),
    (app, id) => app.services.accounts.disable(id),
  ),
  'account.invited': async (app) => () =>
    app.services.invitations.invite({ email: 'invited@example.com', name: null, locale: 'en', inviter: null }),
  'account.profile_changed': api(() => 'PATCH /api/v1/account', { name: 'Changed' }),
  'account.restored': account(
    (app, id) => app.services.deletion.restore(id, SYSTEM),
    async (app, id) => app.services.deletion.close(await app.services.accounts.existing(id), SYSTEM),
  ),
  'account.verified': account((app, id) => app.services.accounts.verify(id)),
  'address.allowed': async (app) => () => app.services.addresses.put(rule('192.0.2.1', 'allow'), OPERATOR),
  'address.blocked': async (app) => () => app.services.addresses.put(rule('192.0.2.2', 'block'), OPERATOR),
  'address.released': async (app) => {
    await app.services.addresses.put(rule('192.0.2.3', 'block'), OPERATOR);
    return () => app.services.addresses.remove('192.0.2.3', OPERATOR);
  },
  'app.removed': api(({ client: { client_id } }) => `DELETE /api/v1/account/apps/${client_id}`),
  'client.created': async (app) => () => app.client(),
  'client.removed': client((app, id) => app.services.clients.remove(id)),
  'client.secret_rotated': client((app, id) => app.services.clients.rotateSecret(id)),
  'client.updated': client((app, id) => app.services.clients.update(id, { client_name: 'Other' })),
  'code.sent': async (app) => {
    const { email } = await somebody(app);
    const { visitor, page } = await loginPage(app);
    const forgot = await visitor.open(page.url.replace('/login/', '/forgot/'));
    return posting(visitor, forgot, { email }, '^/forgot/[^/]+$');
  },
  'consent.granted': async (app) => {
    const person = await somebody(app);
    const { visitor, page } = await loginPage(app, { first_party: false });
    const consent = await visitor.submit(page, { email: person.email, password: PASSWORD }, '^/login/[^/]+$');
    // The form's answer only goes on; what follows it grants.
    return () => visitor.submit(consent, { decision: 'allow' }, '/consent/');
  },
  'key.rotated': async (app) => () => app.services.keys.rotate({ alg: 'EdDSA', now: true }),
  'outbox.discarded': deadLetter((app, id) => app.services.deadLetters.discard(id)),
  'outbox.retried': deadLetter((app, id) => app.services.deadLetters.retry(id)),
  'password.changed': api(() => 'POST /api/v1/account/password', { current_password: PASSWORD, new_password: NEXT }),
  'password.reset': async (app) => {
    const { email } = await somebody(app);
    const { visitor, page } = await loginPage(app);
    const forgot = await visitor.open(page.url.replace('/login/', '/forgot/'));
    const reset = await visitor.submit(forgot, { email }, '^/forgot/[^/]+$');
    return posting(visitor, reset, { code: codeIn((await app.mail(email)).text), password: NEXT }, '^/reset/[^/]+$');
  },
  'refresh.stolen': async (app) => {
    const who = await signedIn(app, { client: await app.client({ ...PUBLIC, refresh_replay_window: 0 }) });
    const use = () =>
      token(app, who.client, { grant_type: 'refresh_token', refresh_token: String(who.tokens.refresh_token) });
    assert.equal((await use()).status, 200);
    await app.services.db.run(
      'UPDATE refresh_tokens SET consumed_at = consumed_at - 60000 WHERE consumed_at IS NOT NULL',
    );
    return use;
  },
  'registration.completed': async (app) => {
    const { visitor, form, email, values } = await registering(app);
    const verify = await visitor.submit(form, values, '^/register/[^/]+$');
    return posting(visitor, verify, { code: codeIn((await app.mail(email)).text) }, '^/verify/[^/]+$');
  },
  'registration.started': async (app) => {
    const { visitor, form, values } = await registering(app);
    return posting(visitor, form, values, '^/register/[^/]+$');
  },
  'secret.rotated': async ({ services: { settings } }) => {
    const secretKeys = [randomBytes(32), ...settings.secretKeys];
    const command = await openForCommand({
      settings: { ...settings, secretKeys },
      file: NO_CONFIG_FILE,
      log: pino({ level: 'silent' }),
    });
    return () => command.secrets.rotate().finally(() => command.close());
  },
  'session.ended': api(async ({ api: call }) => {
    const { items } = (await call('GET /api/v1/account/sessions')).body;
    const browser = items.find(({ kind }: { kind: string }) => kind === 'browser');
    return `DELETE /api/v1/account/sessions/${browser.id}`;
  }),
  'sign_in.succeeded': async (app) => {
    const { email } = await somebody(app);
    const { visitor, page } = await loginPage(app);
    return posting(visitor, page, { email, password: PASSWORD }, '^/login/[^/]+$');
  },
  'token.issued': async (app) => {
    const person = await somebody(app);
    const { client: app_, visitor, request, page } = await loginPage(app, { scope: SCOPE });
    const back = await visitor.submit(page, { email: person.email, password: PASSWORD }, '^/login/[^/]+$');
    const grant = { grant_type: 'authorization_code', code: String(codeOf(back)), redirect_uri: CALLBACK };
    return () => token(app, app_, { ...grant, code_verifier: request.verifier });
  },
};

/** What a change changes. Counts of attempts and values of a flow are written before, on purpose. */
const STATE = ['address_rules', 'accounts', 'clients', 'consents', 'grants', 'refresh_tokens', 'signing_keys'];

async function stateOf({ services: { db } }: TestApp) {
  const rows = await Promise.all(
    STATE.map(async (table) => [table, await db.all(`SELECT * FROM ${table} ORDER BY 1`)]),
  );
  // The time of the last use is no part of a change.
  const text = JSON.stringify(Object.fromEntries(rows), (key, value) => (key === 'last_seen_at' ? undefined : value));
  return JSON.parse(text);
}

/** What waits to be sent; it may leave meanwhile. */
const letters = async ({ services: { db } }: TestApp) =>
  new Set((await db.all<{ id: string }>('SELECT id FROM outbox')).map(({ id }) => id));

function contract(name: string, env: () => Promise<Record<string, string>>): void {
  describe(`X12, D6: without its record nothing changes, on ${name}`, () => {
    let app: TestApp;
    let end: Promise<void> | undefined;
    let release = () => {};
    before(async () => {
      // One application for all of them: its end waits for the last test.
      const hooks: Array<() => Promise<void>> = [];
      const t = { after: (hook: () => Promise<void>) => hooks.push(hook) } as unknown as TestContext;
      app = await startApp(t, { env: await env(), onLog() {} });
      release = () => {
        end = hooks.reduce((done, hook) => done.then(hook), Promise.resolve());
      };
    });
    after(async () => {
      release();
      await end;
    });

    test('every type of event is looked at', () => {
      assert.deepEqual(
        [...Object.keys(ACTIONS), ...CHANGES_NOTHING, ...AWAITED].sort(),
        EVENT_TYPES.toSorted(),
        'see the three lists in this file',
      );
    });

    for (const [type, prepare] of Object.entries(ACTIONS)) {
      test(type, async () => {
        const { db } = app.services;
        const act = await prepare(app);
        const [before, sent] = [await stateOf(app), await letters(app)];
        const postgres = db.dialect === 'postgres';
        if (postgres) {
          await db.run(
            "CREATE OR REPLACE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'lost'; END $$",
          );
          await db.run(
            `CREATE TRIGGER lose BEFORE INSERT ON audit_events FOR EACH ROW WHEN (NEW.type = '${type}') EXECUTE FUNCTION lose()`,
          );
        } else {
          await db.run(
            `CREATE TRIGGER lose BEFORE INSERT ON audit_events WHEN NEW.type = '${type}' BEGIN SELECT RAISE(ABORT, 'lost'); END`,
          );
        }
        const told = await act().then(
          (answer) => (answer as { status?: number } | undefined)?.status ?? 'done',
          () => 'rejected',
        );
        await db.run(postgres ? 'DROP TRIGGER lose ON audit_events' : 'DROP TRIGGER lose');
        assert.ok(told === 'rejected' || Number(told) >= 500, `it was told to have succeeded: ${told}`);
        assert.deepEqual(await stateOf(app), before);
        assert.deepEqual(
          [...(await letters(app))].filter((id) => !sent.has(id)),
          [],
          'a letter about what did not happen',
        );
      });
    }

    test('and the record is as it was written', async () => {
      assert.equal((await app.services.audit.verify()).ok, true);
    });
  });
}

/** Nothing that was prepared: keys that are older than a minute get their successors while a test looks on. */
const secret = () => randomBytes(32).toString('base64');

contract('SQLite', async () => ({ LATCHKEY_SECRET_KEY: secret() }));

describe('with PostgreSQL', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());
  contract('PostgreSQL', async () => ({
    LATCHKEY_SECRET_KEY: secret(),
    LATCHKEY_DATABASE_URL: await postgres.database(),
  }));
});
