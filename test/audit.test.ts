/** The record of security events: complete, append-only, chained, checked, readable by who may, kept for its time. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type NewEvent, OPERATOR } from '../src/audit/events.ts';
import { lineOf } from '../src/audit/formats.ts';
import { createAuditLog } from '../src/audit/log.ts';
import type { Mark } from '../src/audit/macs.ts';
import { until } from './proofs/proof.ts';
import { type Backend, DATABASES } from './support/stores.ts';

const DAY_MS = 86_400_000;
const event = (changes: Partial<NewEvent> = {}): NewEvent => ({ type: 'sign_in.failed', by: OPERATOR, ...changes });

for (const [name, open] of Object.entries(DATABASES)) {
  describe(`the record on ${name}`, () => {
    let backend: Backend;
    let checkpoints: Mark[];
    before(async () => {
      backend = await open();
    });
    after(() => backend.close());

    function make(retentionMs = 1e12) {
      const { db, keyring } = backend;
      return createAuditLog({
        db,
        keyring,
        retentionMs,
        onCheckpoint: (mark) => checkpoints.push(mark),
        onError: (error) => assert.fail(error as Error),
      });
    }

    /** What an intruder of the database does: the triggers go first. */
    async function tamper(sql: string): Promise<void> {
      const { db } = backend;
      const tables = ['audit_events', 'audit_checkpoints', 'audit_cuts', 'audit_head'];
      if (db.dialect === 'postgres') {
        for (const table of tables) await db.run(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
        await db.run(sql);
        for (const table of tables) await db.run(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
        return;
      }
      const triggers = await db.all<{ name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
      );
      for (const trigger of triggers) await db.run(`DROP TRIGGER ${trigger.name}`);
      await db.run(sql);
      for (const trigger of triggers) await db.run(trigger.sql);
    }

    /** An empty log. */
    beforeEach(async () => {
      checkpoints = [];
      for (const table of ['audit_events', 'audit_checkpoints', 'audit_cuts']) await tamper(`DELETE FROM ${table}`);
      await tamper("UPDATE audit_head SET seq = 0, chain = '', mac = ''");
    });

    async function filled(count: number) {
      const audit = make();
      for (let n = 0; n < count; n += 1) await audit.note(event({ details: { n } }));
      await audit.seal();
      return audit;
    }

    test('committed events are sealed within a second, by one of several sealers, without a gap', async () => {
      const sealers = [make(), make(), make()];
      for (const sealer of sealers) sealer.start();
      await Promise.all(Array.from({ length: 300 }, (_, n) => sealers[n % 3]?.note(event({ details: { n } }))));
      const places = async () => (await make().list({}, 500)).items.map(({ seq }) => seq);
      const allSealed = async () => !(await places()).includes(null);
      await until('a crowd of events is sealed', allSealed);
      const whole = Array.from({ length: 300 }, (_, n) => n + 1);
      assert.deepEqual(
        (await places()).toSorted((a, b) => Number(a) - Number(b)),
        whole,
      );
      // One at a time, the best of a few: the machine may have other things to do.
      const waited: number[] = [];
      while (waited.length < 3 && !waited.some((ms) => ms < 1000)) {
        await sealers[0]?.note(event());
        waited.push(await until('an event is sealed', allSealed));
      }
      assert.ok(Math.min(...waited) < 1000, `sealed after ${waited.map(Math.round)} ms`);
      for (const sealer of sealers) await sealer.stop();
      const checked = 300 + waited.length;
      assert.partialDeepStrictEqual(await make().verify(checkpoints), { ok: true, checked, waiting: 0 });
    });

    test('an event is there exactly when the change is', async () => {
      const audit = make();
      await assert.rejects(
        backend.db.write(function* () {
          yield* audit.record(event());
          throw new Error('the change fails');
        }),
      );
      assert.deepEqual((await audit.list({}, 5)).items, []);
    });

    test('the database refuses to change or remove an event, a checkpoint, a cut or the head', async () => {
      const audit = await filled(3);
      audit.start();
      await audit.stop();
      assert.equal(checkpoints.length, 1);
      await audit.note(event());
      for (const sql of [
        "UPDATE audit_events SET type = 'sign_in.succeeded'",
        'UPDATE audit_events SET seq = 9 WHERE seq = 1',
        'UPDATE audit_events SET seq = NULL',
        "UPDATE audit_events SET ip = '192.0.2.1' WHERE seq IS NULL",
        "UPDATE audit_events SET details = '{}', erased = 'x' WHERE seq = 1",
        'UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = NULL, details = \'{"erased":true}\' WHERE seq = 1',
        'DELETE FROM audit_events WHERE seq = 3',
        'DELETE FROM audit_events WHERE seq IS NULL',
        'UPDATE audit_checkpoints SET seq = 4',
        'DELETE FROM audit_checkpoints',
        'DELETE FROM audit_head',
        ...(backend.db.dialect === 'postgres' ? ['TRUNCATE audit_events'] : []),
      ]) {
        await assert.rejects(backend.db.run(sql), /append-only/, sql);
      }
      assert.equal((await audit.verify()).ok, true);
    });

    const damages: Array<[what: string, sql: string, seq: number | null, reason: string]> = [
      ['a changed member', "UPDATE audit_events SET outcome = 'success', ip = '192.0.2.9' WHERE seq = 4", 4, 'changed'],
      ['a changed detail', "UPDATE audit_events SET details = '{}' WHERE seq = 7", 7, 'changed'],
      ['a removed event', 'DELETE FROM audit_events WHERE seq = 5', 5, 'missing'],
      ['a removed first event', 'DELETE FROM audit_events WHERE seq = 1', 1, 'missing'],
      ['a cut tail', 'DELETE FROM audit_events WHERE seq > 8', 9, 'cut'],
      ['another link', 'UPDATE audit_events SET chain = mac WHERE seq = 6', 6, 'moved'],
      [
        'an event taken out of the chain',
        'UPDATE audit_events SET seq = NULL, chain = NULL WHERE seq = 10',
        10,
        'missing',
      ],
      ['a forged checkpoint', "UPDATE audit_checkpoints SET mac = 'x'", 10, 'forged'],
      [
        'a forged head',
        'UPDATE audit_head SET seq = 8, chain = (SELECT chain FROM audit_events WHERE seq = 8)',
        8,
        'forged',
      ],
      ['a cut that nobody made', "INSERT INTO audit_cuts (seq, chain, at, mac) VALUES (3, 'x', 0, 'x')", 3, 'forged'],
    ];
    for (const [what, sql, seq, reason] of damages) {
      test(`the check shows ${what}, and where`, async () => {
        const audit = await filled(10);
        audit.start();
        await audit.stop();
        await tamper(sql);
        const { ok, fault } = await audit.verify();
        assert.deepEqual([ok, fault?.seq, fault?.reason], [false, seq, reason]);
      });
    }

    const ERASED = `ip = NULL, user_agent = NULL, request_id = NULL, details = '{"erased":true}'`;

    test('D6: what it holds of a person can be erased, sealed or not, and it still checks', async () => {
      const audit = make();
      const by = { ...OPERATOR, ip: '192.0.2.1', userAgent: 'Firefox', requestId: 'r1' };
      for (const account of ['gone', 'stays', 'gone', 'gone', 'stays'])
        await audit.note(event({ account, by, details: { account } }));
      await audit.seal();
      await audit.note(event({ account: 'gone', by, details: { account: 'gone' } }));
      const after = await backend.db.write(() => audit.erase('gone', '', 2));
      assert.ok(after, 'there is more');
      assert.equal((await audit.verify()).ok, true, 'half-way too');
      assert.equal(await backend.db.write(() => audit.erase('gone', after, 10)), undefined);
      const { items } = await audit.list({}, 10);
      for (const { account_id, ip, user_agent, request_id, details, type, at } of items) {
        assert.ok(type && at, 'what happened and when stays');
        const left = account_id === 'gone' ? [null, null, null, { erased: true }] : ['192.0.2.1', 'Firefox', 'r1'];
        assert.deepEqual([ip, user_agent, request_id, details].slice(0, left.length), left);
      }
      assert.partialDeepStrictEqual(await audit.verify(), { ok: true, checked: 6, waiting: 0 });
      await assert.rejects(
        backend.db.run("UPDATE audit_events SET erased = 'y' WHERE erased IS NOT NULL"),
        /append-only/,
      );
    });

    const forgeries: Array<[what: string, sql: string]> = [
      ['an erasure that nobody made', `UPDATE audit_events SET ${ERASED}, erased = mac WHERE seq = 2`],
      [
        'an erasure taken from another event',
        `UPDATE audit_events SET ${ERASED}, erased = (SELECT erased FROM audit_events WHERE seq = 1) WHERE seq = 2`,
      ],
      ['an erased event with other words', "UPDATE audit_events SET ip = '192.0.2.9' WHERE seq = 1"],
      ['an erased event of another kind', "UPDATE audit_events SET outcome = 'failure' WHERE seq = 1"],
    ];
    for (const [what, sql] of forgeries) {
      test(`the check shows ${what}`, async () => {
        const audit = make();
        for (const account of ['gone', 'stays']) await audit.note(event({ account }));
        await audit.seal();
        await backend.db.write(() => audit.erase('gone', '', 10));
        assert.equal((await audit.verify()).ok, true);
        await tamper(sql);
        assert.equal((await audit.verify()).fault?.reason, 'changed');
      });
    }

    test('the check shows two events that changed places', async () => {
      const audit = await filled(10);
      await tamper('UPDATE audit_events SET seq = -1 WHERE seq = 4');
      await tamper('UPDATE audit_events SET seq = 4 WHERE seq = 5');
      await tamper('UPDATE audit_events SET seq = 5 WHERE seq = -1');
      const { fault } = await audit.verify();
      assert.deepEqual([fault?.seq, fault?.reason], [4, 'moved']);
    });

    test('an older copy of the whole log shows by a checkpoint from outside', async () => {
      const audit = await filled(5);
      const [old] = await backend.db.all<{ seq: number; chain: string; mac: string }>('SELECT * FROM audit_head');
      for (let n = 0; n < 5; n += 1) await audit.note(event());
      audit.start();
      await audit.stop();
      await tamper('DELETE FROM audit_events WHERE seq > 5');
      await tamper('DELETE FROM audit_checkpoints');
      await tamper(`UPDATE audit_head SET seq = ${old?.seq}, chain = '${old?.chain}', mac = '${old?.mac}'`);
      assert.equal((await audit.verify()).ok, true, 'the copy is right in itself');
      const { fault } = await audit.verify(checkpoints);
      assert.deepEqual([fault?.seq, fault?.reason], [6, 'cut']);
    });

    test('what is older than the retention goes from the front, and the rest still checks', async (t) => {
      const audit = make(30 * DAY_MS);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 40 * DAY_MS });
      for (let n = 0; n < 6; n += 1) await audit.note(event({ details: { n } }));
      t.mock.timers.reset();
      for (let n = 6; n < 9; n += 1) await audit.note(event({ details: { n } }));
      await audit.seal();
      assert.equal(await audit.sweep(4), 4);
      assert.equal((await audit.verify()).ok, true, 'half-way too');
      assert.equal(await audit.sweep(4), 2);
      assert.equal(await audit.sweep(4), 0);
      assert.partialDeepStrictEqual(await audit.verify(), { ok: true, checked: 3, from: 7, to: 9 });
      await audit.note(event());
      assert.partialDeepStrictEqual(await audit.verify(), { ok: true, checked: 4, to: 10 });
    });

    test('lists by account, client, type, outcome and time, page by page', async (t) => {
      const audit = make();
      const start = Date.now();
      t.mock.timers.enable({ apis: ['Date'], now: start });
      for (let n = 0; n < 12; n += 1) {
        t.mock.timers.setTime(start + n * 1000);
        const account = n % 2 === 0 ? 'even' : 'odd';
        const outcome = n < 3 ? 'success' : 'failure';
        await audit.note(event({ account, client: `c${n % 3}`, outcome, details: { n } }));
      }
      const numbers = async (filter: object) => (await audit.list(filter, 50)).items.map(({ details }) => details['n']);
      assert.deepEqual(await numbers({ account: 'odd' }), [11, 9, 7, 5, 3, 1]);
      assert.deepEqual(await numbers({ client: 'c1', account: 'odd' }), [7, 1]);
      assert.deepEqual(await numbers({ outcome: 'success' }), [2, 1, 0]);
      assert.deepEqual(await numbers({ type: 'sign_in.succeeded' }), []);
      assert.deepEqual(await numbers({ since: start + 4000, until: start + 6000 }), [6, 5, 4]);
      const seen: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = await audit.list({}, 5, cursor);
        seen.push(...page.items.map(({ details }) => details['n']));
        cursor = page.next ?? undefined;
      } while (cursor);
      assert.deepEqual(seen, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    });

    test('strangers words stay words: in the database, in CSV and in JSON lines', async () => {
      const audit = make();
      const userAgent = '=cmd|"/c calc"!A1\u0000\u001b[31m\n\u202eevil\ud800';
      await audit.note(event({ by: { ...OPERATOR, via: 'page', userAgent } }));
      const [entry] = (await audit.list({}, 1)).items;
      assert.ok(entry);
      assert.equal((await audit.verify()).ok, true);
      const csv = lineOf('csv', entry);
      assert.match(csv, /"'=cmd\|""\/c calc""!A1\\u001b\[31m\\u000a\\u202eevil/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      for (const line of [csv, lineOf('jsonl', entry)]) assert.doesNotMatch(line, /[\u0000-\u001f\u202e]/);
      assert.equal(JSON.parse(lineOf('jsonl', entry)).user_agent, entry.user_agent);
    });
  });
}
