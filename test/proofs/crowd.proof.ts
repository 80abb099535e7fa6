/** Many at once: idle connections, slow ones, and everybody signing in at the same moment. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signIn } from '../support/flow.ts';
import { inside } from '../support/inside.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { createVisitor } from '../support/visitor.ts';
import { startWatchedIssuer } from '../support/watched-issuer.ts';
import { type Proof, pause, quantile, until } from './proof.ts';

const MIB = 1024 * 1024;
/** What everybody pays: the defaults of production. */
const REAL_HASHES = { LATCHKEY_ARGON2_MEMORY_KIB: '19456', LATCHKEY_ARGON2_PASSES: '2' };

const crowd: Proof<{ idle: number; slow: number; 'ms of a probe': number }> = {
  fault: 'idle connections, slow headers and slow bodies',
  promise: 'others are served, slow headers are cut within 12 s, memory stays in bounds',
  // The tests share their machine; the proofs should not.
  few: { idle: 1000, slow: 100, 'ms of a probe': 500 },
  full: { idle: 10_000, slow: 1500, 'ms of a probe': 100 },

  async run(t, { idle, slow, 'ms of a probe': most }) {
    const issuer = await startWatchedIssuer(t);
    const before = await issuer.loop();
    const quiet = await openMany(t, issuer, idle, '');
    const slowHeaders = await openMany(t, issuer, slow, 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    const body =
      'POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n';
    const slowBodies = await openMany(t, issuer, slow, body.replace('localhost', new URL(issuer.url).host));
    const drip = setInterval(() => {
      for (const socket of [...slowHeaders, ...slowBodies]) if (socket.writable) socket.write('x');
    }, 2000);
    t.after(() => clearInterval(drip));
    const probes = await probe(issuer, 12_500);
    const during = await issuer.loop();
    const left = slowHeaders.filter((socket) => !socket.destroyed && socket.readyState === 'open').length;
    assert.equal(left, 0, 'slow headers are cut after 10 s');
    clearInterval(drip);
    for (const socket of [...quiet, ...slowHeaders, ...slowBodies]) socket.destroy();
    const p99 = quantile(probes, 0.99);
    assert.ok(p99 <= most, `probe p99 ${p99} ms`);
    const grown = (during.rss - before.rss) / MIB;
    assert.ok(grown <= Math.max(60, (idle + 2 * slow) * 0.02), `${grown} MiB more`);
    return `probe p99 ${p99.toFixed(1)} ms, event loop p99 ${during.p99.toFixed(1)} ms, +${Math.round(grown)} MiB`;
  },
};

const flood: Proof<{ people: number; 'ms of delay': number }> = {
  fault: 'parallel sign-ins',
  promise: 'Argon2 is bounded, the surplus is told when to come again, the p99 delay of the event loop stays low',
  few: { people: 120, 'ms of delay': 1000 },
  full: { people: 1000, 'ms of delay': 50 },

  async run(t, { people, 'ms of delay': most }) {
    const issuer = await startWatchedIssuer(t, { env: REAL_HASHES });
    const app = issuer as unknown as TestApp;
    const client = await inside(issuer, async ({ accounts, clients, db }) => {
      for (let n = 0; n < people; n += 1) {
        const password = n === 0 ? { password: PASSWORD } : {};
        await accounts.create({ email: emailOf(n), name: 'Somebody', verified: true, ...password });
      }
      // One hash for all: what it costs to check it is what counts here.
      await db.run(
        'UPDATE accounts SET password_hash = (SELECT password_hash FROM accounts WHERE email = ?) WHERE password_hash IS NULL',
        emailOf(0),
      );
      const metadata = { client_name: 'App', first_party: true, redirect_uris: [CALLBACK] };
      return (await clients.create({ source: 'cli', metadata })) as unknown as { client_id: string };
    });
    const pages = [];
    for (let n = 0; n < people; n += 1) {
      const visitor = createVisitor(issuer.url);
      pages.push({ visitor, page: await visitor.open(authorizationRequest(app, client.client_id).url) });
    }
    const before = await issuer.loop();
    let over = false;
    const probing = probe(issuer, 60_000, () => over);
    const one = (n: number) => ({ email: emailOf(n), password: PASSWORD });
    const answers = await Promise.all(pages.map(({ visitor, page }, n) => signIn(visitor, page, one(n))));
    over = true;
    const probes = await probing;
    const during = await issuer.loop();
    const done = answers.filter((page) => codeOf(page) !== null).length;
    const refused = answers.filter(({ status }) => status === 503);
    assert.equal(done + refused.length, people, answers.map(({ status }) => status).join(' '));
    assert.ok(done > 0);
    for (const { headers } of refused) assert.ok(Number(headers.get('retry-after')) >= 1);
    assert.ok(during.p99 <= most, `event loop p99 ${during.p99} ms`);
    const grown = (during.rss - before.rss) / MIB;
    return `${done} signed in, ${refused.length} told to come again; event loop p99 ${during.p99.toFixed(1)} ms, max ${during.max.toFixed(0)} ms; probe p99 ${quantile(probes, 0.99).toFixed(0)} ms; +${Math.round(grown)} MiB`;
  },
};

async function openMany(t: TestContext, issuer: Issuer, count: number, text: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const port = Number(new URL(issuer.url).port);
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, () => connect(port, 'localhost'));
    sockets.push(...batch);
    await Promise.all(
      batch.map((socket) => {
        socket.on('error', () => {});
        socket.resume();
        return new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      }),
    );
    if (text !== '') for (const socket of batch) socket.write(text);
  }
  return sockets;
}

/** Asks for discovery as others do. @returns milliseconds of each. */
async function probe(issuer: Issuer, forMs: number, over = () => false): Promise<number[]> {
  const took: number[] = [];
  for (const end = performance.now() + forMs; performance.now() < end && !over(); await pause(20)) {
    const started = performance.now();
    const answer = await fetch(`${issuer.url}/.well-known/openid-configuration`);
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    took.push(performance.now() - started);
  }
  return took;
}

const emailOf = (n: number) => `person${n}@example.com`;

/** As many files as it has open and a few more: what comes then can't be accepted. */
const descriptors: Proof<{ connections: number }> = {
  fault: 'no file descriptors left',
  promise: 'the process lives, whoever is connected is served, everybody 2 s after there are some again',
  few: { connections: 200 },
  full: { connections: 2000 },

  async run(t, { connections }) {
    const issuer = await startIssuer(t, { env: { LATCHKEY_LOG_LEVEL: 'info' } });
    const { pid } = JSON.parse(
      issuer
        .output()
        .split('\n')
        .find((line) => line.includes('"listening"')) as string,
    );
    const open = readdirSync(`/proc/${pid}/fd`).length;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    assert.equal(await status(issuer, agent), 200);
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${open + 20}:`]);
    const sockets = await openMany(t, issuer, connections, '').catch(() => []);
    await pause(1000);
    assert.equal(await status(issuer, agent), 200, 'a connection of before is served');
    for (const socket of sockets) socket.destroy();
    const back = await until('served again', async () => (await fetch(`${issuer.url}/readyz`)).status === 200, 2000);
    assert.equal(await issuer.stop(), 0, 'the same process ends as asked');
    return `${connections} connections at ${open + 20} descriptors; served again after ${Math.round(back)} ms`;
  },
};

function status(issuer: Issuer, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${issuer.url}/readyz`, { agent }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode as number));
    }).on('error', reject);
  });
}

export const proofs = [crowd, flood, descriptors];
