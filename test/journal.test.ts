/** How often the disk is waited for, and what is written: whoever waits at the same time shares the wait, on the real disk,
 * made slow; and a unit as large as the database reads and writes no page again and again. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { connect } from '../src/db/connect.ts';
import { run } from '../src/db/statement.ts';
import { notesIn, powerLine } from './support/power-loss.ts';

const MANY = 40;
const WAIT_MS = 300;
const INSERT = "INSERT INTO things (name) VALUES ('one')";

/** Runs a program on a database whose disk is slow. @returns how often it began to wait, and ended, in the middle of it. */
async function waitsOf(t: TestContext, work: string): Promise<{ begun: number; ended: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-journal-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'journal.db');
  const { env } = powerLine(t, file, WAIT_MS);
  const program = `
    import Sqlite from 'better-sqlite3';
    import { openSqlite } from ${JSON.stringify(new URL('../src/db/sqlite.ts', import.meta.url))};
    import { statSync } from 'node:fs';
    import { setImmediate as turn } from 'node:timers/promises';
    const db = openSqlite(process.env.POWER_FILE);
    await db.run('CREATE TABLE things (name text)');
    const noted = () => statSync(process.env.POWER_LOG).size;
    const begun = noted();
    const asked = [];
    ${work}
    const all = asked.length;
    await Promise.all(asked);
    console.log(JSON.stringify({ from: begun, to: noted(), all }));
    process.exit();`;
  const node = promisify(execFile);
  const source = ['--input-type=module', '--eval', program];
  const { stdout } = await node(process.execPath, source, {
    env: { ...process.env, ...env },
    cwd: import.meta.dirname,
  });
  const { from, to, all } = JSON.parse(stdout);
  assert.equal(all, MANY);
  const notes = [...notesIn(readFileSync(env['POWER_LOG'] as string).subarray(from, to))];
  const waits = (what: string) => notes.filter((note) => note.what === what && note.name.endsWith('-wal')).length;
  return { begun: waits('B'), ended: waits('E') };
}

test('writes that are asked for while the disk is waited for share the next wait', async (t) => {
  const { begun, ended } = await waitsOf(
    t,
    `for (let n = 0; n < ${MANY}; n += 1) {
      asked.push(db.run(${JSON.stringify(INSERT)}));
      await turn();
    }`,
  );
  assert.deepEqual({ begun, ended }, { begun: 2, ended: 2 });
});

test('so do answers that wait until what other processes have committed is on the disk', async (t) => {
  const { begun, ended } = await waitsOf(
    t,
    `const other = new Sqlite(process.env.POWER_FILE);
    const insert = other.prepare(${JSON.stringify(INSERT)});
    for (let n = 0; n < ${MANY}; n += 1) {
      insert.run();
      asked.push(db.request(() => db.one('SELECT name FROM things')));
      await turn();
    }`,
  );
  assert.deepEqual({ begun, ended }, { begun: 2, ended: 2 });
});

test('where nobody is served a unit that changes rows all over a large database writes no page again and again', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-large-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'large.db');
  const rows = 280_000;
  const db = await connect({ file, patient: true });
  t.after(() => db.close());
  await db.run('CREATE TABLE things (id integer PRIMARY KEY, seen integer, payload blob)');
  await db.run(
    `WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${rows})
     INSERT INTO things SELECT id, 0, zeroblob(260) FROM n`,
  );
  const written = () => Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  const size = (await db.one<{ bytes: number }>(
    'SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size',
  )) as { bytes: number };
  assert.ok(size.bytes > 64 * 2 ** 20);
  const before = written();
  await db.write(function* () {
    // Far from each other, each page some three times.
    for (let n = 0; n < rows / 5; n += 1)
      yield* run('UPDATE things SET seen = 1 WHERE id = ?', 1 + ((n * 48_611) % rows));
  });
  const times = (written() - before) / size.bytes;
  // For the way back of the unit, to the log, and back into the file.
  assert.ok(times < 3.2, `${times.toFixed(2)} times the size of the database`);
});
