/** The mailbox of development. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createMailbox } from '../src/mail/mailbox.ts';

const mail = (id: string) => ({
  id,
  to: 'ada@example.com',
  subject: `Mail ${id}`,
  text: 'Hello\n',
  html: '<p>Hello</p>',
});

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'mailbox-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Sends mails with the ids `first` to `last`. */
async function fill(mailbox: ReturnType<typeof createMailbox>, first: number, last: number): Promise<void> {
  for (let id = first; id <= last; id++) await mailbox.send(mail(String(id)));
}

test('mails are listed oldest first with the time, and found by their id', async () => {
  const mailbox = createMailbox({ keep: 10 });
  await mailbox.verify();
  await fill(mailbox, 1, 3);
  assert.deepEqual(
    mailbox.list().map(({ id }) => id),
    ['1', '2', '3'],
  );
  const { at, ...rest } = mailbox.get('2') as { at: string };
  assert.deepEqual(rest, mail('2'));
  assert.ok(Math.abs(Date.now() - Date.parse(at)) < 5000);
  assert.equal(mailbox.get('4'), undefined);
  mailbox.list().reverse();
  assert.equal(mailbox.list()[0]?.id, '1');
  await mailbox.close();
});

test('the newest are kept, in memory and on disk, and the file does not grow without end', async (t) => {
  const dir = folder(t);
  for (const mailbox of [createMailbox({ keep: 3 }), createMailbox({ dir, keep: 3 })]) {
    await fill(mailbox, 1, 50);
    assert.deepEqual(
      mailbox.list().map(({ id }) => id),
      ['48', '49', '50'],
    );
    assert.equal(mailbox.get('47'), undefined);
  }
  const lines = readFileSync(join(dir, 'mail.jsonl'), 'utf8').split('\n').filter(Boolean);
  assert.ok(lines.length <= 6, `${lines.length}`);
});

test('a restart keeps the mails, in a file that only its owner can read', async (t) => {
  const dir = join(folder(t), 'data');
  const before = createMailbox({ dir, keep: 10 });
  await fill(before, 1, 2);
  assert.equal(statSync(join(dir, 'mail.jsonl')).mode & 0o777, 0o600);
  const after = createMailbox({ dir, keep: 10 });
  assert.deepEqual(after.list(), before.list());
  await fill(after, 3, 30);
  assert.equal(statSync(join(dir, 'mail.jsonl')).mode & 0o777, 0o600);
});

test('a file that others could read is closed at the start', (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'mail.jsonl'), '');
  chmodSync(join(dir, 'mail.jsonl'), 0o644);
  createMailbox({ dir, keep: 10 });
  assert.equal(statSync(join(dir, 'mail.jsonl')).mode & 0o777, 0o600);
});

test('a line that a killed process left half-written costs only itself', async (t) => {
  const dir = folder(t);
  await fill(createMailbox({ dir, keep: 10 }), 1, 2);
  appendFileSync(join(dir, 'mail.jsonl'), '{"id":"3","to":"ada@ex');
  const mailbox = createMailbox({ dir, keep: 10 });
  await fill(mailbox, 4, 4);
  assert.deepEqual(
    mailbox.list().map(({ id }) => id),
    ['1', '2', '4'],
  );
});

test('the server sees a mail that a command of another process caught', async (t) => {
  const dir = folder(t);
  const [server, command] = [createMailbox({ dir, keep: 10 }), createMailbox({ dir, keep: 10 })];
  await fill(server, 1, 1);
  assert.equal(server.list().length, 1);
  await fill(command, 2, 2);
  assert.deepEqual(
    server.list().map(({ id }) => id),
    ['1', '2'],
  );
  rmSync(join(dir, 'mail.jsonl'));
  assert.deepEqual(server.list(), []);
});

test('a repeated delivery is one mail, and what SMTP would refuse is refused here as well', async (t) => {
  const mailbox = createMailbox({ dir: folder(t), keep: 10 });
  await mailbox.send(mail('1'));
  await mailbox.send(mail('1'));
  assert.equal(mailbox.list().length, 1);
  await assert.rejects(mailbox.send({ ...mail('2'), to: 'a@x.example,b@x.example' }), { permanent: true });
  await mailbox.send({ ...mail('3'), subject: 'a\r\nb' });
  assert.equal(mailbox.get('3')?.subject, 'a b');
});
