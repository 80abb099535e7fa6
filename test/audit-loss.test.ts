/** A change whose record can't be written does not happen: each type of event in turn, on both engines. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import pino from 'pino';
import { EVENT_TYPES, type EventType, OPERATOR, SYSTEM } from '../src/audit/events.ts';
import { NO_CONFIG_FILE } from '../src/config/file.ts';
import { createRenewal } from '../src/keyring/renewal.ts';
import { createDataKeyStore } from '../src/keyring/store.ts';
import { openForCommand } from '../src/open.ts';
import { createBackup } from '../src/ops/backup.ts';
import { createRestoration } from '../src/ops/restoration.ts';
import { apiUser, SCOPE } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { type Enrolled, enrolled, oath, secondStep, wrongCode } from './support/factors.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signedIn, somebody, token } from './support/flow.ts';
import { answer, optionsFor, passkeyFormOf, signInPage, withPasskey } from './support/passkeys.ts';
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
  'limit.refused',
  'instance.started',
  'instance.stopped',
  'password.breach_check_failed',
  'password.change_failed',
  'refresh.replayed',
  'sign_in.failed',
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

/** The mailed code that begins the waiting time of who lost every factor, or that finishes one. */
const recovery =
  (prepare: (app: TestApp, id: string) => Promise<unknown>): Action =>
  async (app) => {
    const { id, email } = await somebody(app);
    await app.services.db.run('UPDATE accounts SET password_changed_at = 0 WHERE id = ?', id);
    await prepare(app, id);
    const { accounts, factorRecovery } = app.services;
    await factorRecovery.sendCode(await accounts.existing(id), { flow: id, by: SYSTEM, locale: 'en' });
    const code = codeIn((await app.mail(email)).text);
    return async () => factorRecovery.prove(await accounts.existing(id), { flow: id, code, by: SYSTEM });
  };

const waits = (app: TestApp, id: string, endsAt: number) =>
  app.services.db.run(
    'INSERT INTO factor_recoveries (id, account_id, requested_at, ends_at) VALUES (?, ?, 1, ?)',
    `of ${id}`,
    id,
    endsAt,
  );
/** With an authenticator app, up to the page that asks for its code. */
async function secondStepOf(app: TestApp) {
  const person = await enrolled(app);
  return { person, ...(await secondStep(app, person)) };
}

const factor =
  (act: (app: TestApp, person: Enrolled) => Promise<unknown>): Action =>
  async (app) => {
    const person = await enrolled(app);
    return () => act(app, person);
  };

async function remembered(app: TestApp) {
  const { person, visitor, page } = await secondStepOf(app);
  assert.ok(codeOf(await visitor.submit(page, { code: oath(person.secret), remember: 'yes' }, '/totp$')));
  return person.id;
}

/** At the page that takes the code for another address. */
async function changingEmail(app: TestApp) {
  const { visitor, person } = await signedIn(app);
  const email = `next${randomBytes(4).toString('hex')}@example.org`;
  const page = await visitor.submit(await visitor.open('/account/email'), { email }, '^/account/email$');
  return { visitor, person, page, code: codeIn((await app.mail(email)).text) };
}

const linkIn = (text: string) => /^\s*(http\S+\/(?:restore|not-me)\/\S+)$/m.exec(text)?.[1] as string;

const rule = (network: string, verdict: 'allow' | 'block') => ({ network, verdict, reason: 'a test', expiresAt: null });

const ACTIONS: Partial<Record<EventType, Action>> = {
  'backup.made': async ({ dataDir, services: { audit } }) => {
    const record = (details: object) => audit.note({ type: 'backup.made', by: OPERATOR, details: { ...details } });
    const backup = createBackup({ target: { file: join(dataDir, 'latchkey.db') }, record });
    return () => backup.make(join(dataDir, 'backup.db'));
  },
  'database.restored': async ({ services: { db, audit, sessions, settings } }) => {
    const renew = createRenewal({ store: createDataKeyStore(db), secretKeys: settings.secretKeys });
    return createRestoration({
      db,
      endSessions: (id) => sessions.ending(id, { reason: 'database_restored', by: OPERATOR }),
      renewPayloadKey: () => renew('payload'),
      record: (details) => audit.record({ type: 'database.restored', by: OPERATOR, details: { ...details } }),
    });
  },
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
  'factor_recovery.finished': recovery((app, id) => waits(app, id, Date.now() - 1)),
  'factor_recovery.started': recovery(async () => {}),
  'factor_recovery.stopped': account(
    (app, id) => app.services.accounts.disable(id),
    (app, id) => waits(app, id, Date.now() + 86_400_000),
  ),
  'device.forgotten': async (app) => {
    const id = await remembered(app);
    const [device] = await app.services.remembered.list(id);
    return () => app.services.remembered.forget(id, String(device?.id), SYSTEM);
  },
  'device.remembered': async (app) => {
    const { person, visitor, page } = await secondStepOf(app);
    return posting(visitor, page, { code: oath(person.secret), remember: 'yes' }, '/totp$');
  },
  'email.changed': async (app) => {
    const { visitor, page, code } = await changingEmail(app);
    return posting(visitor, page, { code }, '/account/email/code$');
  },
  'email.restored': async (app) => {
    const { visitor, person, page, code } = await changingEmail(app);
    await visitor.submit(page, { code }, '/account/email/code$');
    const owner = createVisitor(app.url);
    const { text } = await app.mail(person.email);
    return posting(owner, await owner.open(linkIn(text)), {}, '/restore/');
  },
  'factor.added': async (app) => {
    const person = await somebody(app);
    const setup = await app.services.totp.begin({ accountId: person.id, label: person.email, holder: 'test' });
    const proof = { accountId: person.id, code: oath(setup.secret), name: 'Phone', holder: 'test' };
    return () => app.services.totp.confirm(proof, { by: SYSTEM });
  },
  'factor.failed': async (app) => {
    const { person, visitor, page } = await secondStepOf(app);
    return posting(visitor, page, { code: wrongCode(person.secret) }, '/totp$');
  },
  'factor.proved': async (app) => {
    const { person, visitor, page } = await secondStepOf(app);
    return posting(visitor, page, { code: oath(person.secret) }, '/totp$');
  },
  'factor.removed': factor((app, { id, factorId }) => app.services.factors.remove(id, factorId, { by: SYSTEM })),
  'factor.renamed': factor((app, { id, factorId }) => app.services.factors.rename(id, factorId, 'Other', SYSTEM)),
  'factors.reset': factor((app, { id }) => app.services.factors.reset(id, undefined, OPERATOR)),
  'key.rotated': async (app) => () => app.services.keys.rotate({ alg: 'EdDSA', now: true }),
  'outbox.discarded': deadLetter((app, id) => app.services.deadLetters.discard(id)),
  'outbox.retried': deadLetter((app, id) => app.services.deadLetters.retry(id)),
  'passkey.anomaly': async (app) => {
    const { client, authenticator } = await withPasskey(app);
    const next = async () => signInPage(app, client.client_id);
    const first = await next();
    const right = authenticator.get(await optionsFor(first.visitor, first.page), { counter: 9 });
    assert.ok(codeOf(await answer(first.visitor, first.page, right)));
    const { visitor, page } = await next();
    const copied = authenticator.get(await optionsFor(visitor, page), { counter: 5 });
    return posting(visitor, page, { response: JSON.stringify(copied) }, `^${passkeyFormOf(page).action}$`);
  },
  'password.changed': api(() => 'POST /api/v1/account/password', { current_password: PASSWORD, new_password: NEXT }),
  'password.reset': async (app) => {
    const { email } = await somebody(app);
    const { visitor, page } = await loginPage(app);
    const forgot = await visitor.open(page.url.replace('/login/', '/forgot/'));
    const reset = await visitor.submit(forgot, { email }, '^/forgot/[^/]+$');
    return posting(visitor, reset, { code: codeIn((await app.mail(email)).text), password: NEXT }, '^/reset/[^/]+$');
  },
  'recovery_codes.created': factor((app, { id }) => app.services.recoveryCodes.create(id, { by: SYSTEM })),
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
  'roles.changed': async (app) => {
    const { id } = await somebody(app);
    const roles = [{ name: 'admin', description: undefined, requireSecondFactor: false }];
    const file = { ...NO_CONFIG_FILE, roles };
    const { settings } = app.services;
    const command = await openForCommand({ settings, file, log: pino({ level: 'silent' }) });
    return () => command.roles.change(id, { add: ['admin'], remove: [] }, OPERATOR).finally(() => command.close());
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
  'sign_in.disowned': async (app) => {
    const { person } = await signedIn(app);
    await signedIn(app, { person, visitor: createVisitor(app.url) });
    const phone = createVisitor(app.url);
    const { text } = await app.mail(person.email);
    return posting(phone, await phone.open(linkIn(text)), {}, '/not-me/');
  },
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
const STATE = [
  ...['address_rules', 'accounts', 'clients', 'consents', 'grants', 'refresh_tokens', 'signing_keys', 'sessions'],
  ...['factor_recoveries', 'passkeys', 'totps', 'recovery_codes', 'remembered_devices'],
];
/** The time of the last use is no part of a change. */
const NO_CHANGE = ['last_seen_at'];
/** Tables and columns that an action changes before, in a unit of work of its own: a code is spent, somebody signed in. */
const BEFORE: Partial<Record<string, string[]>> = {
  'consent.granted': ['sessions'],
  'device.remembered': ['last_step', 'last_used_at'],
};

async function stateOf({ services: { db } }: TestApp, type: string) {
  const rows = await Promise.all(
    STATE.map(async (table) => {
      const some = await db.all(`SELECT * FROM ${table}`);
      return [table, some.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))];
    }),
  );
  const apart = [...NO_CHANGE, ...(BEFORE[type] ?? [])];
  const text = JSON.stringify(Object.fromEntries(rows), (key, value) => (apart.includes(key) ? undefined : value));
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
      app = await startApp(t, { env: { LATCHKEY_FACTOR_RECOVERY_WAIT: '72h', ...(await env()) }, onLog() {} });
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
        [...Object.keys(ACTIONS), ...CHANGES_NOTHING].sort(),
        EVENT_TYPES.toSorted(),
        'see the two lists in this file',
      );
    });

    for (const [type, prepare] of Object.entries(ACTIONS)) {
      test(type, async () => {
        const { db } = app.services;
        const act = await prepare(app);
        const [before, sent] = [await stateOf(app, type), await letters(app)];
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
        assert.deepEqual(await stateOf(app, type), before);
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
