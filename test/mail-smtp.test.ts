/** Mail over a real SMTP server: SECURITY T18, X09 and X14. 0.0.0.0 is this machine, but no loopback address. */
import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { MailError } from '../src/mail/mailer.ts';
import { createSmtpMailer } from '../src/mail/smtp.ts';
import { selfSigned } from './support/certificate.ts';
import { startSmtp } from './support/smtp.ts';

const FROM = 'Latchkey <no-reply@id.example.com>';
const log = { debug() {} };
const MAIL = {
  id: 'job_0123',
  to: 'ada@example.com',
  subject: 'Your code: 123 456',
  text: 'Hello Ada,\n.\nyour code is 123 456 — né.\n',
  html: '<p>Hello <b>Ada</b></p>',
};
const timeouts = { connect: 400, idle: 400 };
const { key, cert } = selfSigned(['localhost', '0.0.0.0']);

function mailer(url: string, options: Partial<Parameters<typeof createSmtpMailer>[0]> = {}) {
  return createSmtpMailer({ url, from: FROM, log, ...options });
}

/** The promise fails with a MailError whose text and kind are as said. */
async function refused(sending: Promise<void>, permanent: boolean, words: RegExp): Promise<void> {
  await assert.rejects(sending, (error: unknown) => {
    assert.ok(error instanceof MailError);
    assert.equal(error.permanent, permanent, error.message);
    assert.match(error.message, words);
    return true;
  });
}

test('a mail arrives whole, in text and HTML, with the headers that make it recognisable', async (t) => {
  const { port, received } = await startSmtp(t, { disabledCommands: ['STARTTLS', 'AUTH'] });
  await mailer(`smtp://127.0.0.1:${port}`).send(MAIL);
  const [one] = received;
  assert.ok(one);
  assert.equal(one.from, 'no-reply@id.example.com');
  assert.deepEqual(one.to, ['ada@example.com']);
  assert.equal(one.mail.messageId, '<job_0123@id.example.com>');
  assert.equal(one.mail.from?.text, '"Latchkey" <no-reply@id.example.com>');
  assert.equal(one.mail.subject, MAIL.subject);
  assert.equal(one.mail.text?.trim(), MAIL.text.trim());
  assert.equal(one.mail.html, MAIL.html);
  assert.equal(one.mail.headers.get('auto-submitted'), 'auto-generated');
});

test('X09: neither subject, name nor receiver break out of their header', async (t) => {
  const { port, received } = await startSmtp(t, { disabledCommands: ['STARTTLS', 'AUTH'] });
  const smtp = mailer(`smtp://127.0.0.1:${port}`, {
    from: '"Team, é" <no-reply@id.example.com>',
  });
  const subject = 'Hello\r\nBcc: eve@evil.example\r\n\r\n<script>\u2028\u0000x';
  await smtp.send({ ...MAIL, subject });
  assert.equal(received[0]?.mail.subject, 'Hello Bcc: eve@evil.example <script> x');
  assert.deepEqual(received[0]?.mail.from?.value, [{ name: 'Team, é', address: 'no-reply@id.example.com' }]);
  assert.equal(received[0]?.mail.headers.has('bcc'), false);
  assert.deepEqual(received[0]?.to, ['ada@example.com']);
});

test('T18: whatever is not exactly one plain address goes nowhere', async (t) => {
  const { port, received } = await startSmtp(t, { disabledCommands: ['STARTTLS', 'AUTH'] });
  const smtp = mailer(`smtp://127.0.0.1:${port}`);
  for (const to of [
    ...['a@x.example\r\nBcc: z@z.example', 'a@x.example,z@z.example', 'a@x.example z@z.example', 'A <a@x.example>', ''],
    ...[
      '"z@z.example"@x.example',
      'a@x.example\n',
      'a@x.example>',
      'g:a@x.example;',
      'a(z@z.example)@x.example',
      'a@é.example',
    ],
    ...['a@x@z.example', 'a', '@x.example', 'a@', `${'a'.repeat(250)}@x.example`],
  ])
    await refused(smtp.send({ ...MAIL, to }), true, /address of the receiver/);
  for (const id of ['a>\r\nBcc: z@z.example', '', 'a b', 'a@b'])
    await refused(smtp.send({ ...MAIL, id }), true, /id of the mail/);
  assert.equal(received.length, 0);
  for (const to of ["o'brien+{x}=1%2@example.com", 'zoe@xn--bcher-kva.example', 'ada@localhost']) {
    await smtp.send({ ...MAIL, to });
    assert.equal(received.at(-1)?.to.length, 1);
    assert.ok(received.at(-1)?.raw.includes(`\r\nTo: ${to}\r\n`), to);
  }
});

test('X14: STARTTLS is taken with a trusted certificate and carries the password', async (t) => {
  const { port, received } = await startSmtp(t, {
    key,
    cert,
    authOptional: false,
    onAuth: ({ username, password }, session, done) =>
      session.secure && password === 'p@ss/word' ? done(null, { user: username as string }) : done(new Error('no')),
  });
  const smtp = mailer(`smtp://latch%40key:p%40ss%2Fword@0.0.0.0:${port}`, { ca: cert });
  await smtp.verify();
  await smtp.send(MAIL);
  assert.equal(received[0]?.secure, true);
  assert.equal(received[0]?.user, 'latch@key');
});

test('X14: an unknown, a foreign and an expired certificate are refused, and the mail waits', async (t) => {
  const { port, received } = await startSmtp(t, { key, cert });
  await refused(mailer(`smtp://0.0.0.0:${port}`).send(MAIL), false, /self-signed/);
  await refused(mailer(`smtp://0.0.0.0:${port}`).verify(), false, /self-signed/);
  const foreign = selfSigned(['mail.example.com']);
  const other = await startSmtp(t, { ...foreign });
  await refused(mailer(`smtp://0.0.0.0:${other.port}`, { ca: foreign.cert }).send(MAIL), false, /IP: 0\.0\.0\.0/);
  const old = selfSigned(['0.0.0.0'], { days: -1 });
  const expired = await startSmtp(t, { ...old });
  await refused(mailer(`smtp://0.0.0.0:${expired.port}`, { ca: old.cert }).send(MAIL), false, /expired/);
  assert.equal(received.length + other.received.length + expired.received.length, 0);
});

test('X14: a server that hides STARTTLS gets no mail and no password', async (t) => {
  let tried = false;
  const { port, received } = await startSmtp(t, {
    disabledCommands: ['STARTTLS'],
    onAuth(_auth, _session, done) {
      tried = true;
      done(null, { user: 'x' });
    },
  });
  await refused(mailer(`smtp://user:secret@0.0.0.0:${port}`).send(MAIL), false, /STARTTLS/);
  assert.equal(received.length, 0);
  assert.equal(tried, false);
});

test('smtps:// speaks TLS from the start and verifies it, also on a loopback host', async (t) => {
  const { port, received } = await startSmtp(t, { key, cert, secure: true });
  await refused(mailer(`smtps://localhost:${port}`).send(MAIL), false, /self-signed/);
  await mailer(`smtps://localhost:${port}`, { ca: cert }).send(MAIL);
  assert.equal(received[0]?.secure, true);
});

test('TLS can be left out on a loopback host and by tls=off', async (t) => {
  const { port, received } = await startSmtp(t, { key, cert });
  for (const url of [`smtp://127.0.0.1:${port}`, `smtp://LOCALHOST:${port}`, `smtp://0.0.0.0:${port}?tls=off`]) {
    await mailer(url).send(MAIL);
    assert.equal(received.at(-1)?.secure, false, url);
  }
});

test('what the server refuses for good is permanent, what it refuses for now or for us is not', async (t) => {
  const answer = (code: number) => Object.assign(new Error('says no'), { responseCode: code });
  const cases: [Parameters<typeof startSmtp>[1], boolean][] = [
    [{ onRcptTo: (_to, _session, done) => done(answer(550)) }, true],
    [{ onRcptTo: (_to, _session, done) => done(answer(450)) }, false],
    [{ onData: (stream, _session, done) => void stream.resume().on('end', () => done(answer(554))) }, true],
    [{ onData: (stream, _session, done) => void stream.resume().on('end', () => done(answer(451))) }, false],
    [{ onMailFrom: (_from, _session, done) => done(answer(550)) }, false],
    [{ onConnect: (_session, done) => done(answer(554)) }, false],
  ];
  for (const [options, permanent] of cases) {
    const { port } = await startSmtp(t, { disabledCommands: ['STARTTLS', 'AUTH'], ...options });
    await refused(mailer(`smtp://127.0.0.1:${port}`).send(MAIL), permanent, /says no/);
  }
  const { port } = await startSmtp(t, {
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    onAuth: (_auth, _session, done) => done(answer(535)),
  });
  await refused(mailer(`smtp://user:wrong@127.0.0.1:${port}`).send(MAIL), false, /says no/);
});

test('a connection lost after the mail was said is tried again with the same Message-ID', async (t) => {
  let drop = true;
  const messageIds: string[] = [];
  const { port, server } = await startSmtp(t, {
    disabledCommands: ['STARTTLS', 'AUTH'],
    async onData(stream, _session, done) {
      let raw = '';
      for await (const chunk of stream) raw += chunk;
      messageIds.push(/^Message-ID: (.*)$/im.exec(raw)?.[1] as string);
      if (!drop) return done();
      drop = false;
      for (const connection of (server as unknown as { connections: Set<{ _socket: Socket }> }).connections)
        connection._socket.destroy();
    },
  });
  const smtp = mailer(`smtp://127.0.0.1:${port}`);
  await refused(smtp.send(MAIL), false, /closed|reset/i);
  await smtp.send(MAIL);
  assert.deepEqual(messageIds, ['<job_0123@id.example.com>', '<job_0123@id.example.com>']);
});

test('T18: a silent server is given up, in the greeting and after it', async (t) => {
  for (const greeting of ['', '220 hello\r\n']) {
    const port = await startRaw(t, (socket) => socket.write(greeting));
    const startedAt = performance.now();
    await refused(mailer(`smtp://127.0.0.1:${port}`, { timeouts }).send(MAIL), false, /timeout|greeting/i);
    assert.ok(performance.now() - startedAt < 2000);
  }
});

test('T18: without other settings the greeting is awaited for five seconds', async (t) => {
  const port = await startRaw(t, () => undefined);
  const startedAt = performance.now();
  await refused(mailer(`smtp://127.0.0.1:${port}`).verify(), false, /greeting/i);
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(seconds > 4.5 && seconds < 7, `${seconds}`);
});

test('a server that dribbles for ever is given up when the time of the delivery is over, and its connection closed', async (t) => {
  const closed = Promise.withResolvers<void>();
  const port = await startRaw(t, (socket) => {
    socket.write('220 hello\r\n');
    const dribbling = setInterval(() => socket.write('250-STILL\r\n'), 100);
    socket.on('close', () => {
      clearInterval(dribbling);
      closed.resolve();
    });
  });
  const startedAt = performance.now();
  const patient = { ...timeouts, idle: 30_000 };
  const sending = mailer(`smtp://127.0.0.1:${port}`, { timeouts: patient }).send(MAIL, AbortSignal.timeout(900));
  await refused(sending, false, /abort|timeout/i);
  const took = performance.now() - startedAt;
  assert.ok(took > 800 && took < 10_000, `${took} ms: silence was not the reason`);
  await closed.promise;
});

test('nobody listening is a passing fault', async (t) => {
  const port = await startRaw(t, () => undefined);
  await refused(mailer(`smtp://127.0.0.1:${port === 1 ? 2 : 1}`, { timeouts }).send(MAIL), false, /ECONNREFUSED/);
});

test('closing waits for the mail that is under way', async (t) => {
  const { port, received } = await startSmtp(t, { disabledCommands: ['STARTTLS', 'AUTH'] });
  const smtp = mailer(`smtp://127.0.0.1:${port}`);
  const sending = smtp.send(MAIL);
  await smtp.close();
  assert.equal(received.length, 1);
  await sending;
});

test('an address or sender that can’t work is told at the start, without its password', () => {
  for (const url of ['mail.example.com', 'http://mail.example.com', 'smtp://', 'smtps://mail.example.com?tls=off'])
    assert.throws(() => mailer(url), /smtp/);
  assert.throws(
    () => mailer('smtp://u:100%sure@mail.example.com'),
    (error: Error) => /%25/.test(error.message) && !/sure/.test(error.message),
  );
  for (const from of [
    '',
    'Latchkey',
    'a@b.example, c@d.example',
    'A <a@b.example> <c@d.example>',
    'A\r\nBcc: x@y.example <a@b.example>',
  ])
    assert.throws(() => mailer('smtp://mail.example.com', { from }), /is not a sender/);
});

async function startRaw(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
