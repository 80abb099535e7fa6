/** The mail server goes away in each of its ways while people register. Each way in detail: outbox and mail-smtp tests. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, PASSWORD } from '../support/flow.ts';
import { startIssuer } from '../support/issuer.ts';
import { freePort } from '../support/ports.ts';
import { type Received, startSmtp } from '../support/smtp.ts';
import { createVisitor } from '../support/visitor.ts';
import { type Proof, quantile, until } from './proof.ts';

type Done = (error?: Error | null) => void;

/** What the server does with a mail, by name; a server that is down is none of its behaviours. */
const MODES = ['down', 'silent', 'slow', 'busy', 'drops after DATA'] as const;
type Mode = (typeof MODES)[number] | 'up';

const away: Proof<{ mails: number; 'ms more at most': number }> = {
  fault: 'the mail server down, silent, slow, refusing for now, dropping the line after DATA',
  promise:
    'pages answer as fast as ever, every mail arrives within 60 s of its return, one that was dropped twice at most',
  few: { mails: 1, 'ms more at most': 300 },
  full: { mails: 20, 'ms more at most': 20 },

  async run(t, { mails, 'ms more at most': most }) {
    const port = await freePort();
    let mode: Mode = 'up';
    const said: string[] = [];
    const received: Received[] = [];
    const hung: Done[] = [];
    /** Resolves what hangs when the server is back. */
    const turn = (to: Mode) => {
      mode = to;
      for (const done of hung.splice(0)) done(busy());
    };
    let server: Awaited<ReturnType<typeof startSmtp>> | undefined;
    const open = async () => {
      server = await startSmtp(
        t,
        {
          disabledCommands: ['STARTTLS', 'AUTH'],
          onMailFrom(_address, _session, done) {
            if (mode === 'silent') hung.push(done as Done);
            else if (mode === 'busy') (done as Done)(busy());
            else if (mode === 'slow') setTimeout(done, 1000);
            else done();
          },
          async onData(stream, session, done) {
            let raw = '';
            for await (const chunk of stream) raw += chunk;
            said.push(raw);
            if (mode === 'drops after DATA') return cut(server?.server);
            received.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw } as Received);
            done();
          },
        },
        port,
      );
    };
    const close = async () => {
      const { server: running } = server as NonNullable<typeof server>;
      server = undefined;
      cut(running);
      await new Promise<void>((resolve) => running.close(resolve));
    };
    await open();
    const issuer = await startIssuer(t, {
      env: { LATCHKEY_SMTP_URL: `smtp://127.0.0.1:${port}?tls=off`, LATCHKEY_MAIL_FROM: 'no-reply@example.com' },
    });
    const client = await issuer.createClient({ client_name: 'App', first_party: true, redirect_uris: [CALLBACK] });

    async function register(): Promise<{ email: string; ms: number }> {
      const email = `${randomBytes(6).toString('hex')}@example.com`;
      const visitor = createVisitor(issuer.url);
      const { url } = authorizationRequest(issuer as unknown as TestApp, client.client_id, { prompt: 'create' });
      const form = await visitor.open(url);
      const started = performance.now();
      const page = await visitor.submit(form, { name: 'Ada', email, password: PASSWORD }, '^/register/');
      assert.match(page.url, /\/verify\//);
      return { email, ms: performance.now() - started };
    }
    const several = async () => {
      const all = [];
      for (let n = 0; n < mails; n += 1) all.push(await register());
      return all;
    };
    const arrived = (email: string) => received.filter(({ to }) => to[0] === email).length;

    await register();
    const usual = quantile(
      (await several()).map(({ ms }) => ms),
      0.5,
    );
    const waits: number[] = [];
    const slower: number[] = [];
    for (const next of MODES) {
      turn(next);
      if (next === 'down') await close();
      const [before, from] = [said.length, received.length];
      const registered = await several();
      const median = quantile(
        registered.map(({ ms }) => ms),
        0.5,
      );
      slower.push(median - usual);
      if (next === 'drops after DATA') await until('a mail was dropped', async () => said.length > before);
      if (next === 'down' || next === 'silent' || next === 'busy') assert.equal(received.length, from);
      turn('up');
      if (next === 'down') await open();
      const all = async () => registered.every(({ email }) => arrived(email) > 0);
      waits.push(await until(`${next}: every mail is there`, all, 60_000));
      for (const { email } of registered) assert.equal(arrived(email), 1, `${next}: once`);
    }
    assert.ok(Math.max(...slower) <= most, `pages took ${Math.round(Math.max(...slower))} ms more`);
    const ids = said.map((raw) => /^Message-ID:\s*(\S+)/im.exec(raw)?.[1] as string);
    const repeated = ids.length - new Set(ids).size;
    assert.ok(repeated <= mails * 2, `${repeated} repetitions`);
    assert.ok(!issuer.output().includes('@example.com'), 'no address of a person in the log');
    return `${received.length} mails, 0 lost; ${repeated} of ${said.length} said again with the same id; median ${Math.round(Math.max(...slower))} ms more at most; all there after ${Math.round(Math.max(...waits))} ms`;
  },
};

const busy = () => Object.assign(new Error('not now'), { responseCode: 451 });

function cut(server: unknown): void {
  for (const connection of (server as { connections: Set<{ _socket: Socket }> }).connections) {
    connection._socket.destroy();
  }
}

export const proofs = [away];
