/** Guesses from hundreds of addresses, at one account and at many, while other people go on signing in. */
import assert from 'node:assert/strict';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD } from '../support/flow.ts';
import { inside } from '../support/inside.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { createVisitor, type Page, type Visitor } from '../support/visitor.ts';
import { type Proof, quantile, until } from './proof.ts';

/** The limits of production; the proxy is this machine, so that one process can come from many addresses. */
const LIMITS = {
  LATCHKEY_TRUST_PROXY: '127.0.0.1',
  LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '60',
  LATCHKEY_LIMIT_PAGES_PER_MINUTE: '600',
  LATCHKEY_LIMIT_FAILURES_PER_MINUTE: '30',
};
const ATTACKERS_AT_ONCE = 8;
const from = (address: string) => ({ 'x-forwarded-for': address });
/** Far from each other: no two in one network. */
const address = (index: number) => `${20 + (index % 200)}.${Math.floor(index / 200)}.7.9`;

const abuse: Proof<{ guesses: number; addresses: number; people: number }> = {
  fault: 'guesses from many addresses at one account, and then at many accounts',
  promise:
    'one account has 100 guesses looked at, the owner signs in by the known device and by mail, others feel nothing',
  few: { guesses: 130, addresses: 20, people: 2 },
  full: { guesses: 10_000, addresses: 500, people: 60 },

  async run(t, { guesses, addresses, people }) {
    const issuer = await startIssuer(t, { env: LIMITS });
    const emails = ['owner@example.com', ...Array.from({ length: people }, (_, n) => `person${n}@example.com`)];
    const client = await inside(issuer, async ({ accounts, clients }) => {
      for (const email of emails)
        await accounts.create({ email, name: 'Somebody', password: PASSWORD, verified: true });
      const metadata = { client_name: 'App', first_party: true, redirect_uris: [CALLBACK] };
      return (await clients.create({ source: 'cli', metadata })) as unknown as { client_id: string };
    });
    const begin = (visitor: Visitor) =>
      visitor.open(authorizationRequest(issuer as never, client.client_id, { prompt: 'login' }).url);
    const login = async (visitor: Visitor, email: string, password = PASSWORD) =>
      visitor.submit(await begin(visitor), { email, password }, '^/login/[^/]+$');

    const home = createVisitor(issuer.url, from('192.0.2.1'));
    assert.ok(codeOf(await login(home, 'owner@example.com')));
    const office = emails
      .slice(1)
      .map((email) => ({ email, browser: createVisitor(issuer.url, from('198.51.100.1')) }));

    const strangers = await Promise.all(
      Array.from({ length: addresses }, async (_, index) => {
        const visitor = createVisitor(issuer.url, from(address(index)));
        return { visitor, page: await begin(visitor) };
      }),
    );
    const quiet = await delays(office, login);
    const one = await attack(strangers, guesses, () => 'owner@example.com');
    assert.equal(one.compared, 100, 'guesses at one account that were looked at');
    assert.ok(codeOf(await login(home, 'owner@example.com')), 'the owner, on the known device, in the middle of it');

    await attack(strangers, Math.min(guesses, 130), () => 'owner@example.com');
    const elsewhere = createVisitor(issuer.url, from('203.0.113.9'));
    const refused = await login(elsewhere, 'owner@example.com');
    assert.equal(refused.status, 429);
    assert.ok(await resetAndEnter(issuer, elsewhere, refused, login), 'the owner, anywhere, by mail');

    const spray = attack(strangers, guesses, (n) => `victim${n}@example.com`);
    const during = await delays(office, login);
    const many = await spray;
    assert.ok(many.compared <= addresses * 60, 'at most thirty a minute of each address, in two minutes at most');
    const ms = (values: number[]) => `${Math.round(quantile(values, 0.5))}/${Math.round(quantile(values, 0.95))} ms`;
    return `${one.compared} of ${guesses} looked at for one account, ${many.compared} of ${guesses} for many; sign-in of others p50/p95 ${ms(quiet)} before, ${ms(during)} during`;
  },
};

/** Each guess from the next address, a few at the same time. */
async function attack(
  strangers: Array<{ visitor: Visitor; page: Page }>,
  guesses: number,
  emailOf: (n: number) => string,
) {
  let next = 0;
  let compared = 0;
  await Promise.all(
    Array.from({ length: ATTACKERS_AT_ONCE }, async () => {
      while (next < guesses) {
        const n = next++;
        const { visitor, page } = strangers[n % strangers.length] as { visitor: Visitor; page: Page };
        const values = { email: emailOf(n), password: `guess number ${n}` };
        const { status } = await visitor.submit(page, values, '^/login/[^/]+$');
        assert.ok(status === 400 || status === 429 || status === 503, `status ${status}`);
        if (status === 400) compared += 1;
      }
    }),
  );
  return { compared };
}

/** Everybody of the office signs in, one after the other, all from one address. @returns milliseconds of each. */
async function delays(
  office: Array<{ email: string; browser: Visitor }>,
  login: (visitor: Visitor, email: string) => Promise<Page>,
): Promise<number[]> {
  const times = [];
  for (const { email, browser } of office) {
    const started = performance.now();
    const page = await login(browser, email);
    assert.ok(codeOf(page), `${email} was refused with ${page.status}`);
    times.push(performance.now() - started);
  }
  return times;
}

async function resetAndEnter(
  issuer: Issuer,
  visitor: Visitor,
  refused: Page,
  login: (visitor: Visitor, email: string, password: string) => Promise<Page>,
): Promise<boolean> {
  const forgot = await visitor.open(refused.url.replace('/login/', '/forgot/'));
  const reset = await visitor.submit(forgot, { email: 'owner@example.com' }, '^/forgot/');
  let code = '';
  await until('a mail with a code', async () => {
    const mails = (await (await fetch(`${issuer.url}/dev/mail.json`)).json()) as Array<{ to: string; text: string }>;
    const texts = mails
      .filter(({ to }) => to === 'owner@example.com')
      .map(({ text }) => /^ +(\d{6})$/m.exec(text)?.[1]);
    code = texts.findLast((found) => found !== undefined) ?? '';
    return code !== '';
  });
  const password = 'another quite long sentence';
  await visitor.submit(reset, { code, password }, '^/reset/[^/]+$');
  return codeOf(await login(visitor, 'owner@example.com', password)) !== null;
}

export const proofs = [abuse] as Proof[];
