/** Whatever one does to the rows of the record, the check shows it; and the signatures that leave the machine. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { compactVerify, importJWK } from 'jose';
import { OPERATOR } from '../src/audit/events.ts';
import { createAuditLog } from '../src/audit/log.ts';
import { createSigning } from '../src/audit/signing.ts';
import type { Value } from '../src/db/statement.ts';
import { commandLine } from './support/command-line.ts';
import { type Backend, DATABASES } from './support/stores.ts';

const TABLES = ['audit_events', 'audit_checkpoints', 'audit_cuts', 'audit_head'] as const;
const EVENTS = 12;
type Rows = Record<string, Value>[];
type Snapshot = Record<(typeof TABLES)[number], Rows>;

/** Another value of the same type. */
function flipped(value: Value): Value {
  if (value === null) return 'x';
  if (typeof value === 'number') return value + 1000;
  const text = String(value);
  return text === '' ? 'x' : `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`;
}

for (const [name, open] of Object.entries(DATABASES)) {
  describe(`X12, D6: the chain on ${name}`, () => {
    let backend: Backend;
    let genuine: Snapshot;
    const shipped: Array<{ seq: number; chain: string; jws: string }> = [];
    const make = () =>
      createAuditLog({
        ...backend,
        retentionMs: 1e12,
        onCheckpoint: (mark) => shipped.push(mark),
        onError: (error) => assert.fail(error as Error),
      });

    before(async () => {
      backend = await open();
      const { db } = backend;
      for (let part = 0; part < 3; part += 1) {
        const audit = make();
        for (let n = 0; n < EVENTS / 3; n += 1)
          await audit.note({ type: 'sign_in.failed', account: `a${n}`, by: OPERATOR, details: { part, n } });
        audit.start();
        await audit.stop();
      }
      genuine = Object.fromEntries(
        await Promise.all(TABLES.map(async (table) => [table, await db.all(`SELECT * FROM ${table}`)])),
      ) as Snapshot;
      // What an intruder of the database does first.
      if (db.dialect === 'postgres')
        for (const table of TABLES) await db.run(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
      else
        for (const { name: trigger } of await db.all<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        ))
          await db.run(`DROP TRIGGER ${trigger}`);
    });
    after(() => backend.close());

    async function become(state: Snapshot): Promise<void> {
      await backend.db.write(function* () {
        for (const table of TABLES) {
          yield { sql: `DELETE FROM ${table}`, params: [], want: 'run' };
          for (const row of state[table]) {
            const columns = Object.keys(row);
            const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
            yield { sql, params: Object.values(row), want: 'run' };
          }
        }
      });
    }

    /** @param change of a copy of the genuine rows. */
    async function shows(what: string, change: (state: Snapshot) => void, marks: typeof shipped = []): Promise<void> {
      const state = structuredClone(genuine);
      change(state);
      await become(state);
      const verdict = await make().verify(marks);
      assert.equal(verdict.ok, false, `${what} was not seen: ${JSON.stringify(verdict)}`);
    }

    test('as it was written it is right', async () => {
      await become(genuine);
      assert.partialDeepStrictEqual(await make().verify(shipped), { ok: true, checked: EVENTS });
      assert.deepEqual([genuine.audit_checkpoints.length, shipped.length], [3, 3]);
    });

    test('each single value of each event, checkpoint and the head', async () => {
      // The time of a mark is signed; the primary key of the one head is no fact.
      for (const table of TABLES)
        for (const [index, row] of genuine[table].entries())
          for (const [column, value] of Object.entries(row)) {
            if (table === 'audit_head' && column === 'id') continue;
            await shows(`${table}.${column} of row ${index}`, (state) => {
              (state[table][index] as Record<string, Value>)[column] = flipped(value);
            });
          }
    });

    test('each event removed, each pair exchanged, each length of the tail, each foreign event added', async () => {
      for (let a = 0; a < EVENTS; a += 1) {
        await shows(`event ${a} removed`, (state) => state.audit_events.splice(a, 1));
        await shows(`cut behind ${a}`, (state) => state.audit_events.splice(a));
        await shows(`event ${a} twice`, (state) => {
          state.audit_events.push({ ...state.audit_events[a], id: `${state.audit_events[a]?.['id']}x`, seq: 99 });
        });
        for (let b = 0; b < a; b += 1)
          await shows(`events ${a} and ${b} exchanged`, ({ audit_events: rows }) => {
            const [left, right] = [rows[a], rows[b]] as [Rows[number], Rows[number]];
            [left['seq'], right['seq']] = [right['seq'] as Value, left['seq'] as Value];
          });
      }
    });

    test('an older whole, by a checkpoint that was shipped', async () => {
      // The head of then, as a copy of the database would have it.
      const mark = genuine.audit_checkpoints[0] as Record<string, Value>;
      const audit = createAuditLog({ ...backend, retentionMs: 1e12, onCheckpoint() {}, onError() {} });
      await become({
        ...genuine,
        audit_events: [],
        audit_checkpoints: [],
        audit_head: [{ id: 1, seq: 0, chain: '', mac: '' }],
      });
      for (const row of genuine.audit_events.slice(0, Number(mark['seq']))) {
        const columns = Object.keys(row).filter((column) => column !== 'seq' && column !== 'chain');
        await backend.db.run(
          `INSERT INTO audit_events (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
          ...columns.map((column) => row[column] as Value),
        );
      }
      assert.partialDeepStrictEqual(await audit.verify(), { ok: true, checked: mark['seq'] });
      assert.equal((await audit.verify(shipped)).ok, false);
    });

    test('property: several changes at once', async () => {
      const damage = fc.record({
        row: fc.nat(EVENTS - 1),
        how: fc.constantFrom('remove', 'outcome', 'details', 'seq', 'chain', 'mac', 'at', 'ip'),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (damages) => {
          await shows(JSON.stringify(damages), (state) => {
            // From the back, so that places stay.
            for (const { row, how } of damages.toSorted((a, b) => b.row - a.row)) {
              const found = state.audit_events[row];
              if (!found) continue;
              if (how === 'remove') state.audit_events.splice(row, 1);
              else found[how] = how === 'seq' ? 1000 + row : (genuine.audit_events[row]?.[how] ?? null);
              if (how !== 'remove' && how !== 'seq') found[how] = flipped(found[how] as Value);
            }
          });
        }),
        { numRuns: 60 },
      );
      await become(genuine);
    });

    test('a checkpoint is a signature that a stranger checks with the public key, and nothing else passes for one', async () => {
      const audit = make();
      await become(genuine);
      const { key, items } = await audit.checkpoints(2);
      assert.deepEqual(
        items.map(({ seq }) => seq),
        [12, 8],
      );
      assert.ok(!('d' in key));
      const { payload, protectedHeader } = await compactVerify(String(items[0]?.jws), await importJWK({ ...key }), {
        algorithms: ['ES256'],
      });
      assert.equal(protectedHeader.kid, key.kid);
      const said = JSON.parse(Buffer.from(payload).toString());
      assert.deepEqual([said.kind, said.seq, said.chain], ['checkpoint', 12, items[0]?.chain]);
      const jws = String(items[0]?.jws);
      assert.deepEqual(audit.readCheckpoint(jws), { seq: 12, chain: items[0]?.chain });
      const [head, body, signature] = jws.split('.') as [string, string, string];
      const none = Buffer.from('{"alg":"none"}').toString('base64url');
      const other = createSigning(Buffer.alloc(32, 7)).sign({ kind: 'checkpoint', seq: 1, chain: 'x', at: 1 });
      const cut = createSigning(backend.keyring.key('audit')).sign({ kind: 'cut', seq: 1, chain: 'x', at: 1 });
      for (const forged of [
        `${none}.${body}.`,
        `${head}.${body}.${signature}=`,
        `${head}.${body}x.${signature}`,
        `${jws}.`,
        other,
        cut,
        '',
        '..',
      ])
        assert.equal(audit.readCheckpoint(forged), undefined, forged);
    });
  });
}

test('audit checkpoints and verify --checkpoint at the command line', async (t) => {
  const cli = commandLine(t);
  await cli.run(['users', 'create', '--email', 'ada@example.com', '--name', 'Ada', '--verified']);
  assert.match((await cli.run(['audit', 'checkpoints'])).out, /^Public key: \{"kty":"EC"[\s\S]+No checkpoints\.\n$/);
  await cli.within(async ({ audit }) => {
    audit.start();
    await audit.stop();
  });
  const { key, items } = (await cli.run(['audit', 'checkpoints', '--json'])).json;
  assert.equal(items.length, 1);
  assert.ok(await compactVerify(items[0].jws, await importJWK(key)));
  assert.equal((await cli.run(['audit', 'verify', '--checkpoint', items[0].jws])).code, 0);
  const foreign = createSigning(Buffer.alloc(32)).sign({ kind: 'checkpoint', seq: 1, chain: 'x', at: 1 });
  const refused = await cli.run(['audit', 'verify', '--checkpoint', foreign]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /did not sign/);
});
