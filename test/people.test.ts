/** Registering, signing in, recovering: the hosted pages through HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Mail, startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, FIREFOX, PASSWORD, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const sixDigits = (mail: Mail) => (/\b(\d{6})\b/.exec(mail.text) as RegExpExecArray)[1] as string;
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

async function loginPage(
  app: TestApp,
  params: Record<string, string> = {},
): Promise<{ visitor: Visitor; page: Page; clientId: string }> {
  const client = await app.client();
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  return {
    visitor,
    clientId: client.client_id,
    page: await visitor.open(authorizationRequest(app, client.client_id, params).url),
  };
}

async function registering(app: TestApp, email: string, changes: Record<string, string> = {}) {
  const { visitor, page } = await loginPage(app, { prompt: 'create' });
  const code = await visitor.submit(page, { name: 'Ada', email, password: PASSWORD, ...changes }, '^/register/');
  return { visitor, page, code };
}

test('a person registers, proves the address by the mailed code and is back in the app', async (t) => {
  const app = await startApp(t);
  const { visitor, code } = await registering(app, 'Ada.Lovelace@Example.com');
  assert.match(code.url, /\/verify\//);
  assert.equal(
    await app.services.accounts.byEmail('ada.lovelace@example.com'),
    undefined,
    'nothing exists before the proof',
  );
  const mail = await app.mail('ada.lovelace@example.com');
  const back = await visitor.submit(
    code,
    { code: ` ${sixDigits(mail).slice(0, 3)} ${sixDigits(mail).slice(3)} ` },
    '/verify/[^/]+$',
  );
  assert.ok(codeOf(back), back.html.slice(0, 800));
  const account = await app.services.accounts.byEmail('ada.lovelace@example.com');
  assert.equal(account?.profile.name, 'Ada');
  assert.ok(account?.emailVerifiedAt);
  assert.match(String(account?.passwordHash), /^\$argon2id\$/);
});

test('D2: a known address is answered like an unknown one, and its owner gets a mail that says so', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const known = await registering(app, person.email, { name: 'Somebody else' });
  const unknown = await registering(app, 'new@example.com', { name: 'Somebody else' });
  const masked = ({ html, url }: Page) =>
    html
      .replaceAll(new URL(url).pathname.split('/')[2] as string, 'UID')
      .replaceAll(/value="[^"]+"/g, '')
      .replaceAll(/nonce="[^"]+"/g, '')
      .replaceAll(/person\d+@example.com|new@example.com/g, 'X');
  assert.equal(known.code.status, unknown.code.status);
  assert.equal(masked(known.code), masked(unknown.code));
  const told = await app.mail(person.email);
  assert.doesNotMatch(told.text, /\b\d{6}\b/);
  const guess = await known.visitor.submit(known.code, { code: '000000' }, '/verify/[^/]+$');
  const other = await unknown.visitor.submit(
    unknown.code,
    { code: wrong(sixDigits(await app.mail('new@example.com'))) },
    '/verify/[^/]+$',
  );
  assert.equal(guess.status, other.status);
  assert.equal(masked(guess), masked(other));
});

test('A11 A12: a code works once, in its own flow, for ten minutes and five tries', async (t) => {
  const app = await startApp(t);
  const { visitor, code } = await registering(app, 'one@example.com');
  const right = sixDigits(await app.mail('one@example.com'));
  const second = await registering(app, 'two@example.com');
  const crossed = await second.visitor.submit(second.code, { code: right }, '/verify/[^/]+$');
  assert.equal(crossed.status, 400, 'the code of another flow');
  let page = code;
  for (let tries = 0; tries < 5; tries += 1)
    page = await visitor.submit(page, { code: wrong(right) }, '/verify/[^/]+$');
  page = await visitor.submit(page, { code: right }, '/verify/[^/]+$');
  assert.equal(page.status, 400, 'five wrong tries end a code');
  assert.equal(await app.services.accounts.byEmail('one@example.com'), undefined);

  const third = await registering(app, 'three@example.com');
  const late = sixDigits(await app.mail('three@example.com'));
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 10 * 60_000 + 1000 });
  const expired = await third.visitor.submit(third.code, { code: late }, '/verify/[^/]+$');
  assert.equal(expired.status, 400);
  t.mock.timers.reset();
});

test('A08: 100 parallel guesses never get more than five tries', async (t) => {
  const app = await startApp(t);
  const { visitor, code } = await registering(app, 'guess@example.com');
  await app.mail('guess@example.com');
  await Promise.all(
    Array.from({ length: 100 }, (_each, n) =>
      visitor.submit(code, { code: String(n).padStart(6, '0') }, '/verify/[^/]+$'),
    ),
  );
  const [row] = await app.services.db.all<{ attempts: number }>(
    "SELECT attempts FROM challenges WHERE sent_to = 'guess@example.com'",
  );
  assert.equal(row?.attempts, 5);
});

test('a new code ends the old one, and only a few are sent', async (t) => {
  const app = await startApp(t);
  const { visitor, code } = await registering(app, 'again@example.com');
  const first = sixDigits(await app.mail('again@example.com'));
  const resent = await visitor.submit(code, {}, '/resend$');
  const newest = sixDigits(await app.mail('again@example.com', (mail) => sixDigits(mail) !== first));
  assert.equal((await visitor.submit(resent, { code: first }, '/verify/[^/]+$')).status, 400);
  await visitor.submit(resent, {}, '/resend$');
  const limited = await visitor.submit(resent, {}, '/resend$');
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers.get('retry-after')) > 0);
  assert.notEqual(first, newest);
});

test('forms say every fault at once and keep what was typed', async (t) => {
  const app = await startApp(t);
  const { visitor, page } = await loginPage(app, { prompt: 'create' });
  const faulty = await visitor.submit(page, { name: '', email: 'not an address', password: 'short' }, '^/register/');
  assert.equal(faulty.status, 400);
  assert.equal([...faulty.html.matchAll(/aria-invalid="true"/g)].length, 3);
  assert.ok(faulty.html.includes('value="not an address"'));
  const common = await visitor.submit(
    page,
    { name: 'A', email: 'a@example.com', password: 'password1234' },
    '^/register/',
  );
  assert.equal(common.status, 400);
});

test('A09: an unknown address, a wrong password and a disabled account get the same answer', async (t) => {
  const app = await startApp(t);
  const [person, disabled] = [await somebody(app), await somebody(app)];
  await app.services.accounts.disable(disabled.id);
  const answers = [];
  for (const [email, password] of [
    ['nobody@example.com', PASSWORD],
    [person.email, `${PASSWORD}!`],
    [disabled.email, PASSWORD],
  ] as const) {
    const { visitor, page } = await loginPage(app);
    const answer = await signIn(visitor, page, { email, password });
    const uid = new URL(page.url).pathname.split('/')[2] as string;
    answers.push(
      `${answer.status} ${answer.html
        .replaceAll(uid, 'UID')
        .replaceAll(/value="[^"]*"/g, '')
        .replaceAll(/nonce="[^"]+"/g, '')}`,
    );
  }
  assert.equal(answers[0], answers[1]);
  assert.equal(answers[0], answers[2]);
});

test('A02 A06: long passwords are taken whole, in either Unicode form', async (t) => {
  const app = await startApp(t);
  const long = 'é'.repeat(100) + 'x'.repeat(100);
  const person = await somebody(app, { password: long });
  const attempt = async (password: string) => {
    const { visitor, page } = await loginPage(app);
    return codeOf(await signIn(visitor, page, { email: person.email, password })) !== null;
  };
  assert.equal(await attempt(long), true);
  assert.equal(await attempt(long.normalize('NFD')), true);
  assert.equal(await attempt(`${long.slice(0, -1)}y`), false);
});

test('A10: a forgotten password is reset by code, ends every session and signs nobody in', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const before = await signedIn(app, { person });
  const { visitor, page } = await loginPage(app);
  const forgot = await visitor.open(page.url.replace('/login/', '/forgot/'));
  const reset = await visitor.submit(forgot, { email: person.email }, '^/forgot/');
  assert.match(reset.url, /\/reset\//);
  const code = sixDigits(await app.mail(person.email));
  const next = 'an entirely new sentence';
  const refused = await visitor.submit(reset, { code, password: 'short' }, '/reset/[^/]+$');
  assert.equal(refused.status, 400, 'a weak password costs no try');
  const done = await visitor.submit(reset, { code, password: next }, '/reset/[^/]+$');
  assert.match(done.url, /\/login\/.*notice=password-changed/);
  await app.mail(person.email, (mail) => !/\b\d{6}\b/.test(mail.text));
  const old = await signIn(visitor, done, person);
  assert.equal(codeOf(old), null);
  assert.ok(codeOf(await signIn(visitor, done, { email: person.email, password: next })));
  const refresh = await token(app, before.client, {
    grant_type: 'refresh_token',
    refresh_token: before.tokens.refresh_token as string,
  });
  assert.equal(refresh.body.error, 'invalid_grant');
  assert.match((await before.visitor.open('/account')).url, /\/login\//);
});

test('resetting the password of an unknown address looks the same and sends nothing', async (t) => {
  const app = await startApp(t);
  const { visitor, page } = await loginPage(app);
  const reset = await visitor.submit(
    await visitor.open(page.url.replace('/login/', '/forgot/')),
    { email: 'nobody@example.com' },
    '^/forgot/',
  );
  assert.match(reset.url, /\/reset\//);
  const guess = await visitor.submit(reset, { code: '123456', password: PASSWORD }, '/reset/[^/]+$');
  assert.equal(guess.status, 400);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(app.mails().length, 0);
});

test('an account whose address was never proved is led through the code after the right password', async (t) => {
  const app = await startApp(t);
  await app.services.accounts.create({ email: 'unproved@example.com', name: 'U', password: PASSWORD, verified: false });
  const { visitor, page } = await loginPage(app);
  const code = await signIn(visitor, page, { email: 'unproved@example.com', password: PASSWORD });
  assert.match(code.url, /\/verify\//);
  const back = await visitor.submit(
    code,
    { code: sixDigits(await app.mail('unproved@example.com')) },
    '/verify/[^/]+$',
  );
  assert.ok(codeOf(back));
});

test('registration can be closed, limited to domains, or by invitation', async (t) => {
  const domains = await startApp(t, { env: { LATCHKEY_REGISTRATION_DOMAINS: 'example.org' } });
  assert.equal((await registering(domains, 'a@example.com')).code.status, 400);
  assert.match((await registering(domains, 'a@example.org')).code.url, /\/verify\//);

  const invite = await startApp(t, { env: { LATCHKEY_REGISTRATION: 'invite' } });
  const { visitor, page } = await loginPage(invite, { prompt: 'create' });
  assert.doesNotMatch(page.html, /name="password"/);
  await invite.services.invitations.invite({ email: 'guest@example.com', name: 'Guest', locale: 'en', inviter: null });
  const mail = await invite.mail('guest@example.com');
  const link = (/http\S+\/invitation\/\S+/.exec(mail.text) as RegExpExecArray)[0];
  const opened = await visitor.open(link);
  await visitor.open(link);
  assert.ok(opened.html.includes('guest@example.com'));
  const accepted = await visitor.submit(opened, { name: 'Guest', password: PASSWORD }, '/invitation/');
  assert.match(accepted.url, /\/login\//);
  assert.ok((await invite.services.accounts.byEmail('guest@example.com'))?.emailVerifiedAt);
  assert.equal((await visitor.open(link)).status, 400, 'a link works once');
});

test('S05: a form of another sign-in, from another site or without its token is refused', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const [mine, other] = [await loginPage(app), await loginPage(app)];
  const token = /name="csrf" value="([^"]+)"/.exec(other.page.html)?.[1] as string;
  const send = (headers: Record<string, string>, csrf?: string) =>
    mine.visitor.request(mine.page.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams({
        email: person.email,
        password: person.password,
        ...(csrf === undefined ? {} : { csrf }),
      }),
    });
  const own = /name="csrf" value="([^"]+)"/.exec(mine.page.html)?.[1] as string;
  assert.equal((await send({}, token)).status, 403);
  assert.equal((await send({ origin: 'https://evil.example' }, own)).status, 403);
  assert.equal((await send({ 'sec-fetch-site': 'cross-site' }, own)).status, 403);
  assert.ok([400, 403].includes((await send({})).status));
  assert.equal((await send({}, own)).status, 303);
});

test('S03: a sign-in that one browser began can not be finished in another', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const { page } = await loginPage(app);
  const victim = createVisitor(app.url);
  const opened = await victim.open(page.url);
  assert.equal(opened.status, 410);
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.html)?.[1] as string;
  const sent = await victim.request(page.url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ csrf, email: person.email, password: person.password }),
  });
  assert.equal(sent.status, 410);
});

test('several tabs sign in side by side', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const tabs = await Promise.all([1, 2, 3].map(() => visitor.open(authorizationRequest(app, client.client_id).url)));
  assert.ok(codeOf(await signIn(visitor, tabs[1] as Page, person)));
});

test('going back to the app without signing in is an answer that the app understands', async (t) => {
  const app = await startApp(t);
  const { visitor, page } = await loginPage(app);
  const back = await visitor.submit(page, {}, '/cancel$');
  assert.equal(new URL(back.url).searchParams.get('error'), 'access_denied');
});

test("somebody else's application asks for consent in words, remembers it, and can be refused", async (t) => {
  const app = await startApp(t);
  const client = await app.client({ first_party: false, client_name: 'Photo Prints' });
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const request = () => authorizationRequest(app, client.client_id).url;
  const consent = await signIn(visitor, await visitor.open(request()), person);
  assert.match(consent.url, /\/consent\//);
  assert.match(consent.html, /Photo Prints/);
  const refused = await visitor.submit(consent, { decision: 'deny' }, '/consent/');
  assert.equal(new URL(refused.url).searchParams.get('error'), 'access_denied');
  const allowed = await visitor.submit(await visitor.open(request()), { decision: 'allow' }, '/consent/');
  assert.ok(codeOf(allowed));
  const elsewhere = createVisitor(app.url);
  assert.ok(codeOf(await signIn(elsewhere, await elsewhere.open(request()), person)), 'remembered in another browser');
  const more = await visitor.open(authorizationRequest(app, client.client_id, { prompt: 'consent' }).url);
  assert.match(more.html, /name="decision"/);
  const beyond = await visitor.open(authorizationRequest(app, client.client_id, { scope: 'openid account:write' }).url);
  assert.equal(new URL(beyond.url).searchParams.get('error'), 'invalid_scope');
});

test('P05, S06: a native application gets no silent approval', async (t) => {
  const app = await startApp(t);
  const native = await app.client({
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
  });
  const { visitor } = await signedIn(app);
  const request = (params = {}) =>
    authorizationRequest(app, native.client_id, { redirect_uri: 'http://127.0.0.1:51004/callback', ...params }).url;
  const silent = await visitor.open(request({ prompt: 'none' }));
  assert.match(String(new URL(silent.url).searchParams.get('error')), /^(consent|interaction)_required$/);
  const asked = await visitor.open(request());
  assert.match(asked.url, /\/consent\//);
  assert.ok(codeOf(await visitor.submit(asked, { decision: 'allow' }, '/consent/')));
  const stranger = createVisitor(app.url);
  assert.ok(
    codeOf(await signIn(stranger, await stranger.open(request()), await somebody(app))),
    'signing in is a page',
  );
});

test('a page opened without a sign-in under way says so and offers a way on', async (t) => {
  const app = await startApp(t);
  for (const path of ['/login', '/register', '/verify', '/forgot', '/reset', '/consent']) {
    const page = await createVisitor(app.url).open(path);
    assert.equal(page.status, 200, path);
    assert.match(page.html, /href="\/account"/, path);
  }
  const gone = await createVisitor(app.url).open('/login/unknown');
  assert.equal(gone.status, 410);
});

test('an error before any redirect is a page that tells the developer which parameter is wrong', async (t) => {
  const app = await startApp(t);
  const browser = createVisitor(app.url, {
    accept: 'text/html',
    'sec-fetch-dest': 'document',
    'sec-fetch-mode': 'navigate',
  });
  const unknown = await browser.open('/oauth2/authorize?client_id=x');
  assert.equal(unknown.status, 400);
  assert.match(unknown.html, /client_id/);
  const client = await app.client();
  const redirect = await browser.open(
    authorizationRequest(app, client.client_id, { redirect_uri: 'https://other.example/cb' }).url,
  );
  assert.equal(redirect.status, 400);
  assert.match(redirect.html, /other\.example/);
});

test('after a redirect to a custom scheme the tab shows the way back to the app', async (t) => {
  const app = await startApp(t);
  const uri = 'com.example.garden:/callback';
  const native = await app.client({
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: [uri],
  });
  const browser = createVisitor(app.url, { 'sec-fetch-dest': 'document' });
  const login = await browser.open(authorizationRequest(app, native.client_id, { redirect_uri: uri }).url);
  const { email, password } = await somebody(app);
  const page = await browser.submit(login, { email, password }, '^/login/[^/]+$');
  assert.equal(page.status, 200);
  assert.match(String(page.headers.get('refresh')), /^0; url=com\.example\.garden:\/callback\?code=/);
  assert.match(page.html, /href="com\.example\.garden:\/callback\?code=/);
});
