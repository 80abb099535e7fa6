/** Several processes over one SQLite file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './proofs/proof.ts';
import type { TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signIn, token } from './support/flow.ts';
import { type Issuer, startIssuer } from './support/issuer.ts';
import { createVisitor } from './support/visitor.ts';

const PATIENCE_MS = 20_000;

test('two workers share sign-ins; of 100 parallel redemptions of a code one succeeds; a killed worker is replaced', async (t) => {
  const issuer = await startIssuer(t, { env: { LATCHKEY_WORKERS: '2' } });
  await until('both workers listen', async () => pidsOf(issuer).length === 2, PATIENCE_MS);
  const app = issuer as unknown as TestApp;
  const client = await issuer.createClient({ client_name: 'App', redirect_uris: [CALLBACK] });
  await issuer.run('users', 'create', '--email', 'ada@example.com', '--name', 'Ada', '--verified', '--json');
  const visitor = createVisitor(issuer.url);

  const request = authorizationRequest(app, client.client_id, { prompt: 'create' });
  const register = await visitor.submit(
    await visitor.open(request.url),
    { name: 'Bob', email: 'bob@example.com', password: PASSWORD },
    '^/register/',
  );
  const code = /\b(\d{6})\b/.exec((await issuer.mail('bob@example.com')).text)?.[1] as string;
  const back = await visitor.submit(register, { code }, '/verify/[^/]+$');
  const params = {
    grant_type: 'authorization_code',
    code: codeOf(back) as string,
    redirect_uri: CALLBACK,
    code_verifier: request.verifier,
  };
  const answers = await Promise.all(Array.from({ length: 100 }, () => token(app, client, params)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.deepEqual(
    answers.filter(({ status }) => status >= 500),
    [],
  );

  assert.deepEqual(await redeeming(issuer), ['1', '2'], 'both workers had some of them');

  const pids = pidsOf(issuer);
  assert.equal(pids.length, 2);
  process.kill(pids[0] as number, 'SIGKILL');
  // A connection that the killed worker held breaks, or waits for an answer that nobody gives; whoever connects anew, once
  // the death is known, is served.
  await fetch(`${issuer.url}/livez`, { signal: AbortSignal.timeout(2000) }).catch(() => {});
  await until('its death is known', async () => deathsOf(issuer) === 1, PATIENCE_MS);
  for (let n = 0; n < 10; n += 1) {
    const fresh = createVisitor(issuer.url);
    const again = authorizationRequest(app, client.client_id);
    assert.ok(
      codeOf(await signIn(fresh, await fresh.open(again.url), { email: 'bob@example.com', password: PASSWORD })),
    );
  }
  await until('it is replaced', async () => pidsOf(issuer).length === 3, PATIENCE_MS);
  assert.match(issuer.output(), new RegExp(`"pid":${pids[0]},"exit_code":null,"signal":"SIGKILL"`));
  assert.equal(await issuer.stop(), 0);
});

test('a stop while no worker lives ends the service', async (t) => {
  const issuer = await startIssuer(t, { env: { LATCHKEY_WORKERS: '2' } });
  await until('both workers listen', async () => pidsOf(issuer).length === 2, PATIENCE_MS);
  for (const pid of pidsOf(issuer)) process.kill(pid, 'SIGKILL');
  // Their deaths are known, and none is replaced yet.
  await until('their deaths are known', async () => deathsOf(issuer) === 2, PATIENCE_MS);
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, 'still there').unref());
  assert.equal(await Promise.race([issuer.stop(), patience]), 0);
});

const pidsOf = (issuer: Issuer) =>
  [...issuer.output().matchAll(/"pid":(\d+),"msg":"listening"/g)].map((match) => Number(match[1]));
const deathsOf = (issuer: Issuer) => (issuer.output().match(/a worker ended unexpectedly/g) ?? []).length;

/** The workers that had requests to the token endpoint, by the metrics of each; whoever takes the connection answers. */
async function redeeming(issuer: Issuer): Promise<string[]> {
  const found = new Set<string>();
  for (let n = 0; n < 40 && found.size < 2; n += 1) {
    const text = await (await fetch(`${issuer.url}/metrics`, { headers: { connection: 'close' } })).text();
    for (const line of text.split('\n')) {
      const worker = /^latchkey_http_request_duration_seconds_count\{.*worker="(\d+)"/.exec(line)?.[1];
      if (worker && line.includes('area="token"')) found.add(worker);
    }
  }
  return [...found].sort();
}
