/** Signing in by a mailed code or link, where the operator allows it (SECURITY D1, A09, A13). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, type Person, somebody, token } from './support/flow.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const SAFARI =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1';
const codeIn = (text: string) => /^ {4}(\d{6})$/m.exec(text)?.[1] as string;
const linkIn = (text: string) => /^http\S+\/sign-in\/\S+$/m.exec(text)?.[0] as string;
const lettersOf = (page: Page) => /class="user-code">([A-Z ]{7})</.exec(page.html)?.[1] as string;

interface Asked {
  visitor: Visitor;
  page: Page;
  person: Person;
  client: { client_id: string; client_secret: string };
  verifier: string;
}

/** A browser that waits for a code. */
async function ask(app: TestApp, changes: { person?: Person; params?: Record<string, string> } = {}): Promise<Asked> {
  const person = changes.person ?? (await somebody(app));
  const client = await app.client();
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const { url, verifier } = authorizationRequest(app, client.client_id, changes.params);
  const form = await visitor.open(url);
  const uid = form.url.split('/').at(-1);
  const { body } = visitor.fill(form, { email: person.email }, '^/login/[^/]+(/email)?$');
  const page = await visitor.open(`/login/${uid}/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  });
  return { visitor, page, person, client, verifier };
}

async function claimsOf(app: TestApp, { client, verifier }: Asked, page: Page) {
  const code = codeOf(page) as string;
  const answer = await token(app, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: CALLBACK,
    code_verifier: verifier,
  });
  return decodeJwt(answer.body.id_token as string);
}

const mailTo = (app: TestApp, person: Person) => app.mail(person.email, ({ text }) => linkIn(text) !== undefined);

test('A13: where it is allowed beside passwords', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_EMAIL_SIGN_IN: 'allowed' } });

  await t.test('the code signs in the browser that asked, as an e-mail sign-in, once', async () => {
    const asked = await ask(app);
    const { visitor, page, person } = asked;
    assert.match(page.html, /Email me|Check your email/);
    const { text } = await mailTo(app, person);
    const wrong = await visitor.submit(page, { code: codeIn(text) === '000000' ? '000001' : '000000' }, '/code$');
    assert.equal(wrong.status, 400);
    assert.match(wrong.html, /4 tries left/);
    const there = await visitor.submit(wrong, { code: codeIn(text) }, '/code$');
    const claims = await claimsOf(app, asked, there);
    assert.deepEqual([claims['amr'], claims['acr']], [['email'], 'urn:latchkey:email']);
    const again = await ask(app, { person });
    assert.equal((await again.visitor.submit(again.page, { code: codeIn(text) }, '/code$')).status, 400, 'A12');
  });

  await t.test('opening the link signs nobody in; its button does, in the browser that asked', async () => {
    const asked = await ask(app);
    const link = linkIn((await mailTo(app, asked.person)).text);
    const scanner = createVisitor(app.url, {});
    for (const method of ['GET', 'HEAD', 'GET']) assert.equal((await scanner.request(link, { method })).status, 200);
    const page = await asked.visitor.open(link);
    assert.match(page.html, /You asked to sign in as/);
    const there = await asked.visitor.submit(page, {}, '/sign-in/[^/]+$');
    assert.equal((await claimsOf(app, asked, there))['acr'], 'urn:latchkey:email');
    assert.equal((await asked.visitor.open(link)).status, 400, 'used once');
  });

  await t.test('another browser is told who asks, has to type the letters, and is not signed in itself', async () => {
    const asked = await ask(app);
    const early = await asked.visitor.submit(asked.page, {}, '/confirmed$');
    assert.match(early.html, /confirmed it yet/);
    const link = linkIn((await mailTo(app, asked.person)).text);
    const other = createVisitor(app.url, { 'user-agent': SAFARI });
    const page = await other.open(link);
    assert.match(page.html, /Test app[\s\S]*Firefox on Linux[\s\S]*127\.0\.0\.1/);
    assert.doesNotMatch(
      page.html,
      new RegExp(lettersOf(asked.page)),
      'the letters are known where they are shown only',
    );
    const wrong = await other.submit(page, { words: 'BBB BBB' }, '/sign-in/[^/]+$');
    assert.equal(wrong.status, 400);
    assert.equal(codeOf(await asked.visitor.submit(asked.page, {}, '/confirmed$')), null);
    const done = await other.submit(wrong, { words: lettersOf(asked.page).toLowerCase() }, '/sign-in/[^/]+$');
    assert.match(done.html, /Go back to the other browser/);
    assert.equal((await other.open('/account')).url.includes('/login/'), true, 'it gained nothing');
    const there = await asked.visitor.submit(asked.page, {}, '/confirmed$');
    assert.equal((await claimsOf(app, asked, there))['acr'], 'urn:latchkey:email');
  });

  await t.test('wrong letters kill the link after five tries, the code with it, also all at once', async () => {
    const asked = await ask(app);
    const { text } = await mailTo(app, asked.person);
    const other = createVisitor(app.url, { 'user-agent': SAFARI });
    const page = await other.open(linkIn(text));
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        other.submit(page, { words: `BBB BB${'CDFGHJ'[i % 6]}` }, '/sign-in/[^/]+$'),
      ),
    );
    assert.ok(answers.every(({ status }) => status === 400));
    const row = await app.services.challenges.pending(asked.page.url.split('/').at(-2) as string, ['signin']);
    assert.equal(row?.attempts, 5);
    assert.notEqual((await asked.visitor.submit(asked.page, { code: codeIn(text) }, '/code$')).status, 303);
    assert.equal((await other.open(linkIn(text))).status, 400);
  });

  await t.test('who did not ask ends code and link from the page of the link', async () => {
    const asked = await ask(app);
    const { text } = await mailTo(app, asked.person);
    const other = createVisitor(app.url, { 'user-agent': SAFARI });
    const refused = await other.submit(await other.open(linkIn(text)), {}, '/refuse$');
    assert.match(refused.html, /Nobody can use that link/);
    assert.equal(codeOf(await asked.visitor.submit(asked.page, { code: codeIn(text) }, '/code$')), null);
  });

  await t.test('only the newest code and link work', async () => {
    const asked = await ask(app);
    const first = await mailTo(app, asked.person);
    await asked.visitor.submit(asked.page, {}, '/resend$');
    const second = await app.mail(asked.person.email, ({ text }) => codeIn(text) !== codeIn(first.text));
    assert.equal((await asked.visitor.open(linkIn(first.text))).status, 400);
    const there = await asked.visitor.submit(asked.page, { code: codeIn(second.text) }, '/code$');
    assert.ok(codeOf(there));
  });

  await t.test('A09: an unknown address and a disabled account get the same page and no mail', async () => {
    const known = await ask(app);
    const disabled = await somebody(app);
    await app.services.accounts.disable(disabled.id);
    const masked = ({ page, person }: Asked) =>
      page.html
        .replaceAll(person.email, 'ADDRESS')
        .replaceAll(/name="csrf" value="[^"]+"/g, 'CSRF')
        .replaceAll(/\/login\/[\w-]+/g, '/login/F')
        .replaceAll(/class="user-code">[A-Z ]{7}/g, 'LETTERS')
        .replaceAll(/nonce="[^"]+"/g, 'NONCE');
    await mailTo(app, known.person);
    for (const person of [{ ...disabled }, { ...disabled, email: 'nobody@example.com' }]) {
      const other = await ask(app, { person });
      assert.equal(other.page.status, known.page.status);
      assert.equal(masked(other), masked(known));
      const guess = await other.visitor.submit(other.page, { code: '123456' }, '/code$');
      assert.match(guess.html, /4 tries left/);
      assert.equal(app.mails().filter(({ to }) => to === person.email).length, 0);
    }
  });

  await t.test(
    'A13: an application that asks for a password gets one; a mailed code is never two factors',
    async () => {
      const asked = await ask(app, { params: { acr_values: 'urn:latchkey:pwd' } });
      const { text } = await mailTo(app, asked.person);
      const page = await asked.visitor.submit(asked.page, { code: codeIn(text) }, '/code$');
      assert.match(page.url, /\/login\/[^/]+$/, 'the password is missing');
      const { email, password } = asked.person;
      const claims = await claimsOf(
        app,
        asked,
        await asked.visitor.submit(page, { email, password }, '^/login/[^/]+$'),
      );
      assert.deepEqual([claims['acr'], claims['amr']], ['urn:latchkey:pwd', ['email', 'pwd']]);
      const strong = await ask(app, { params: { acr_values: 'urn:latchkey:mfa' } });
      const mail = await mailTo(app, strong.person);
      const next = await strong.visitor.submit(strong.page, { code: codeIn(mail.text) }, '/code$');
      assert.equal(codeOf({ ...next, url: next.url }), null);
    },
  );

  await t.test('what is typed wrong on the sign-in page comes back with it', async () => {
    const page = (await ask(app, { person: { ...(await somebody(app)), email: 'no address' } })).page;
    assert.equal(page.status, 400);
    assert.match(page.html, /full email address/);
    assert.match(page.html, /formaction="\/login\/[^"]+\/email"/);
  });
});

test('instead of passwords', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_EMAIL_SIGN_IN: 'instead' } });

  await t.test('nobody is asked for a password: not at sign-in, not at registration, not to reset one', async () => {
    const client = await app.client();
    const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
    const form = await visitor.open(authorizationRequest(app, client.client_id).url);
    assert.doesNotMatch(form.html, /type="password"|\/forgot\//);
    const uid = form.url.split('/').at(-1);
    assert.equal((await visitor.request(`/forgot/${uid}`)).status, 404);
    const byPassword = await visitor.request(`/login/${uid}`, { method: 'POST', body: new URLSearchParams() });
    assert.equal(byPassword.status, 405);

    const register = await visitor.open(`/register/${uid}`);
    assert.doesNotMatch(register.html, /type="password"/);
    const email = 'newcomer@example.com';
    const waiting = await visitor.submit(register, { name: 'New Comer', email }, '/register/');
    const { text } = await app.mail(email);
    const there = await visitor.submit(waiting, { code: codeIn(text) }, '/verify/[^/]+$');
    assert.ok(codeOf(there), there.html.slice(0, 500));
    const account = await app.services.accounts.byEmail(email);
    assert.equal(account?.passwordHash, null);

    const security = await visitor.open('/account/security');
    assert.equal(security.status, 200);
    const asked = await ask(app, { person: { email, name: '', password: '', id: account?.id as string } });
    const mail = await app.mail(email, (each) => linkIn(each.text) !== undefined);
    assert.ok(codeOf(await asked.visitor.submit(asked.page, { code: codeIn(mail.text) }, '/code$')));
  });
});

test('off by default: there is no such way', async (t) => {
  const app = await startApp(t);
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const form = await visitor.open(authorizationRequest(app, (await app.client()).client_id).url);
  assert.doesNotMatch(form.html, /formaction/);
  assert.equal((await visitor.request(`${form.url}/email`)).status, 404);
});
