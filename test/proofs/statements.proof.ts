/** The n-th statement of a flow fails, once or from then on: no success is told of what is half done. On SQLite it is the
 * engine that fails it; to PostgreSQL the connection is cut there. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Database, type Engine, storageUnavailable } from '../../src/db/database.ts';
import type { Statement, Steps, Unit, Value } from '../../src/db/statement.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { type Fault, noFault, startCuttingWay, strikes } from '../support/cutting-way.ts';
import {
  authorizationRequest,
  CALLBACK,
  codeOf,
  PASSWORD,
  signedIn,
  signIn,
  somebody,
  token,
} from '../support/flow.ts';
import { startPostgres } from '../support/postgres.ts';
import { createVisitor } from '../support/visitor.ts';
import type { Proof } from './proof.ts';

/**
 * Breaks the database of a running application in place, below what gathers the writes of a request: what a store asks
 * for at once, what is kept until the request is answered, and reads that wait for neither all go through the engine,
 * which is what `committed` is.
 */
function breakable(db: Database): Fault {
  const fault = noFault();
  const engine = db.committed as Engine;
  assert.ok('write' in engine && !('later' in engine), 'what is broken is the engine itself');
  const { one, all, run, write } = engine;
  const strike = (want: Statement['want']) => {
    if (strikes(fault, want === 'run')) throw storageUnavailable(new Error('a statement that was made to fail'));
  };
  function* struck<Result>(unit: Unit<Result>): Steps<Result> {
    const steps = unit();
    let step = steps.next();
    while (!step.done) {
      let answer: unknown;
      try {
        strike(step.value.want);
        answer = yield step.value as Statement;
      } catch (error) {
        step = steps.throw(error);
        continue;
      }
      step = steps.next(answer);
    }
    return step.value;
  }
  const broken: Omit<Engine, 'dialect' | 'settled' | 'close' | 'batch'> = {
    async one<Row>(sql: string, ...params: Value[]) {
      strike('one');
      return one<Row>(sql, ...params);
    },
    async all<Row>(sql: string, ...params: Value[]) {
      strike('all');
      return all<Row>(sql, ...params);
    },
    async run(sql, ...params) {
      strike('run');
      return run(sql, ...params);
    },
    write: (unit) => write(() => struck(unit)),
  };
  Object.assign(engine, broken);
  return fault;
}

interface Flow {
  /** As many writes at least can be struck, and are where each is: fewer mean that the proof has lost sight of some. */
  writes: number;
  /** Prepares, without faults. @returns the step that a fault hits, true when it was told to have succeeded, */
  begin(app: TestApp): Promise<{ attempt(): Promise<boolean>; check(told: boolean): Promise<void> }>;
}

const api = (app: TestApp, access: string, method: string, path: string, body?: object) =>
  fetch(app.url + path, {
    method,
    headers: { authorization: `Bearer ${access}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
const SCOPE = 'openid profile email account:read account:write';
const PUBLIC = { token_endpoint_auth_method: 'none' };
const works = async (app: TestApp, client: { client_id: string }, refreshToken: string) =>
  (await token(app, { client_id: client.client_id }, { grant_type: 'refresh_token', refresh_token: refreshToken }))
    .status === 200;

async function canSignIn(app: TestApp, email: string, password: string): Promise<boolean> {
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  return codeOf(await signIn(visitor, page, { email, password })) !== null;
}

let number = 0;
const FLOWS: Record<string, Flow> = {
  register: {
    writes: 12,
    async begin(app) {
      number += 1;
      const email = `register${number}@example.com`;
      const client = await app.client();
      const visitor = createVisitor(app.url);
      const form = await visitor.open(authorizationRequest(app, client.client_id, { prompt: 'create' }).url);
      const page = await visitor.submit(form, { name: 'New', email, password: PASSWORD }, '^/register/');
      const code = (/\b\d{6}\b/.exec((await app.mail(email)).text) as RegExpExecArray)[0];
      return {
        attempt: async () => codeOf(await visitor.submit(page, { code }, '/verify/[^/]+$')) !== null,
        async check(told) {
          const account = await app.services.accounts.byEmail(email);
          if (told) assert.ok(account, 'told of an account that is not there');
          if (account) assert.ok(await canSignIn(app, email, PASSWORD), 'an account is whole');
        },
      };
    },
  },
  'sign-in and code': {
    writes: 10,
    async begin(app) {
      const person = await somebody(app);
      const client = await app.client(PUBLIC);
      const visitor = createVisitor(app.url);
      const request = authorizationRequest(app, client.client_id);
      const page = await visitor.open(request.url);
      let refreshToken: string | undefined;
      return {
        async attempt() {
          const code = codeOf(await signIn(visitor, page, person));
          if (!code) return false;
          const params = {
            grant_type: 'authorization_code',
            code,
            redirect_uri: CALLBACK,
            code_verifier: request.verifier,
          };
          const { status, body } = await token(app, { client_id: client.client_id }, params);
          refreshToken = body.refresh_token;
          return status === 200;
        },
        async check(told) {
          if (told) assert.ok(await works(app, client, refreshToken as string), 'told of tokens that do not work');
          assert.ok(await canSignIn(app, person.email, person.password));
        },
      };
    },
  },
  refresh: {
    writes: 3,
    async begin(app) {
      const client = await app.client(PUBLIC);
      const { tokens } = await signedIn(app, { client });
      let next: string | undefined;
      return {
        async attempt() {
          const params = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string };
          const { status, body } = await token(app, { client_id: client.client_id }, params);
          next = body.refresh_token;
          return status === 200;
        },
        async check(told) {
          if (told) assert.ok(await works(app, client, next as string), 'told of a successor that does not work');
        },
      };
    },
  },
  'end other sessions': {
    writes: 8,
    async begin(app) {
      const client = await app.client(PUBLIC);
      const person = await somebody(app);
      const other = await signedIn(app, { client, person });
      const own = await signedIn(app, { client: await app.client(), person, scope: SCOPE });
      return {
        attempt: async () =>
          (await api(app, own.tokens.access_token, 'DELETE', '/api/v1/account/sessions?except=current')).status === 204,
        async check(told) {
          if (told)
            assert.equal(await works(app, client, other.tokens.refresh_token as string), false, 'revoked lives');
        },
      };
    },
  },
  'password change': {
    writes: 14,
    async begin(app) {
      const client = await app.client(PUBLIC);
      const person = await somebody(app);
      const other = await signedIn(app, { client, person });
      const own = await signedIn(app, { client: await app.client(), person, scope: SCOPE });
      const next = 'another long sentence of mine';
      const body = { current_password: person.password, new_password: next };
      return {
        attempt: async () =>
          (await api(app, own.tokens.access_token, 'POST', '/api/v1/account/password', body)).status === 204,
        async check(told) {
          const changed = await canSignIn(app, person.email, next);
          if (told) assert.ok(changed, 'told of a change that is not there');
          assert.notEqual(await canSignIn(app, person.email, person.password), changed, 'one password works');
          if (changed)
            assert.equal(await works(app, client, other.tokens.refresh_token as string), false, 'revoked lives');
        },
      };
    },
  },
};

type Kind = Partial<Pick<Fault, 'persistent' | 'unheard'>>;

interface Breakable {
  app: TestApp;
  fault: Fault;
}

/** @param kindsFor the kinds of fault for the flow of this number. */
async function everyFlow({ app, fault }: Breakable, step: number, kindsFor: (flow: number) => Kind[]): Promise<string> {
  const met: string[] = [];
  for (const [flow, [name, { writes, begin }]] of Object.entries(FLOWS).entries()) {
    const kinds = kindsFor(flow);
    let count = 0;
    let struck = 0;
    for (const kind of kinds) {
      for (let n = 1; n < 1000; n += step) {
        const { attempt, check } = await begin(app);
        Object.assign(fault, noFault(), kind, { left: n });
        const told = await attempt().catch(() => false);
        const { hits, seen } = fault;
        struck += fault.writes;
        fault.left = Number.POSITIVE_INFINITY;
        await check(told).catch((error: Error) => {
          error.message = `${name}, statement ${n} ${JSON.stringify(kind)}: ${error.message}`;
          throw error;
        });
        if (hits === 0) {
          assert.ok(told, `${name}: refused without a fault`);
          assert.ok(seen >= writes, `${name}: only ${seen} writes can be struck, of at least ${writes}`);
          break;
        }
        count += 1;
      }
    }
    if (step === 1) assert.ok(struck >= kinds.length * writes, `${name}: only ${struck} writes were struck`);
    met.push(`${name} ${count} (${struck} of them writes)`);
  }
  return `faults met: ${met.join(', ')}; 0 violations`;
}

const failing: Proof<{ step: number }> = {
  fault: 'the n-th statement fails, once or from then on',
  promise: 'never a success with partial state, in any flow',
  few: { step: 5 },
  full: { step: 1 },

  async run(t: TestContext, { step }) {
    const app = await startApp(t, { onLog: () => {} });
    return everyFlow({ app, fault: breakable(app.services.db) }, step, () => [{}, { persistent: true }]);
  },
};

const cut: Proof<{ step: number; kinds: number }> = {
  fault: 'the connection to PostgreSQL is cut at the n-th statement, or at its answer, once or from then on',
  promise: 'never a success with partial state, in any flow, and served again when the server is',
  few: { step: 23, kinds: 1 },
  full: { step: 1, kinds: 3 },

  async run(t: TestContext, { step, kinds }) {
    const postgres = await startPostgres();
    const url = new URL(await postgres.database());
    const way = await startCuttingWay(Number(url.port));
    url.port = String(way.port);
    try {
      const app = await startApp(t, { onLog: () => {}, env: { LATCHKEY_DATABASE_URL: url.href } });
      const all = [{}, { unheard: true }, { persistent: true }];
      return await everyFlow({ app, fault: way.fault }, step, (flow) =>
        all.map((_each, index) => all[(flow + index) % all.length] as Kind).slice(0, kinds),
      );
    } finally {
      // Behind the application's own end.
      t.after(async () => {
        way.stop();
        await postgres.stop();
      });
    }
  },
};

export const proofs = [failing, cut];
