/**
 * The record of security events: append-only by triggers, chained by a sealer, cut from the front behind a record of
 * the cut. Only the triggers differ between the engines. And what a logout notice needs to know of a grant.
 */
import type { Knex } from 'knex';

const FACTS = [
  'id',
  'at',
  'type',
  'outcome',
  'account_id',
  'client_id',
  'session_id',
  'via',
  'ip',
  'user_agent',
  'request_id',
  'details',
  'mac',
];

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('audit_events', (table) => {
    table.text('id').primary();
    table.bigInteger('at').notNullable();
    table.text('type').notNullable();
    table.text('outcome').notNullable();
    // No references: the record outlives what it speaks of.
    for (const column of ['account_id', 'client_id', 'session_id']) table.text(column);
    table.text('via').notNullable();
    for (const column of ['ip', 'user_agent', 'request_id']) table.text(column);
    table.text('details').notNullable();
    table.text('mac').notNullable();
    table.bigInteger('seq').unique();
    table.text('chain');
    table.index(['account_id', 'id']);
    table.index(['client_id', 'id']);
    table.index(['type', 'id']);
  });
  await knex.raw('CREATE INDEX audit_events_unsealed ON audit_events (id) WHERE seq IS NULL');
  for (const name of ['audit_checkpoints', 'audit_cuts']) {
    await knex.schema.createTable(name, (table) => {
      table.bigInteger('seq').primary();
      table.text('chain').notNullable();
      table.bigInteger('at').notNullable();
      table.text('mac').notNullable();
    });
  }
  await knex.schema.createTable('audit_head', (table) => {
    table.integer('id').primary();
    table.bigInteger('seq').notNullable();
    table.text('chain').notNullable();
    table.text('mac').notNullable();
  });
  await knex('audit_head').insert({ id: 1, seq: 0, chain: '', mac: '' });
  await (knex.client.config.client === 'pg' ? postgresTriggers(knex) : sqliteTriggers(knex));
  await knex.schema.alterTable('grants', (table) => {
    table.text('sid');
  });
}

async function sqliteTriggers(knex: Knex): Promise<void> {
  const refuse = "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END";
  const changed = FACTS.map((column) => `NEW.${column} IS NOT OLD.${column}`).join(' OR ');
  const behind = 'OLD.seq IS NOT NULL AND OLD.seq <= (SELECT COALESCE(MAX(seq), 0) FROM audit_cuts)';
  const triggers = [
    `audit_events_change BEFORE UPDATE ON audit_events WHEN OLD.seq IS NOT NULL OR NEW.seq IS NULL OR ${changed}`,
    `audit_events_removal BEFORE DELETE ON audit_events WHEN NOT (${behind})`,
    'audit_checkpoints_change BEFORE UPDATE ON audit_checkpoints',
    `audit_checkpoints_removal BEFORE DELETE ON audit_checkpoints WHEN NOT (${behind})`,
    'audit_cuts_change BEFORE UPDATE ON audit_cuts',
    'audit_cuts_removal BEFORE DELETE ON audit_cuts',
    'audit_head_removal BEFORE DELETE ON audit_head',
  ];
  for (const trigger of triggers) await knex.raw(`CREATE TRIGGER ${trigger} ${refuse}`);
}

async function postgresTriggers(knex: Knex): Promise<void> {
  const changed = FACTS.map((column) => `NEW.${column} IS DISTINCT FROM OLD.${column}`).join(' OR ');
  await knex.raw(`CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$`);
  await knex.raw(`CREATE FUNCTION audit_removal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.seq IS NOT NULL AND OLD.seq <= (SELECT COALESCE(MAX(seq), 0) FROM audit_cuts) THEN RETURN OLD; END IF;
      RAISE EXCEPTION 'the audit log is append-only';
    END $$`);
  const triggers = [
    `audit_events_change BEFORE UPDATE ON audit_events FOR EACH ROW
       WHEN (OLD.seq IS NOT NULL OR NEW.seq IS NULL OR ${changed}) EXECUTE FUNCTION audit_refuse()`,
    'audit_events_removal BEFORE DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_removal()',
    'audit_checkpoints_removal BEFORE DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_removal()',
    'audit_checkpoints_change BEFORE UPDATE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_refuse()',
    'audit_cuts_change BEFORE UPDATE OR DELETE ON audit_cuts FOR EACH ROW EXECUTE FUNCTION audit_refuse()',
    'audit_head_removal BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_refuse()',
    ...['events', 'checkpoints', 'cuts', 'head'].map(
      (name) => `audit_${name}_emptying BEFORE TRUNCATE ON audit_${name} EXECUTE FUNCTION audit_refuse()`,
    ),
  ];
  for (const trigger of triggers) await knex.raw(`CREATE TRIGGER ${trigger}`);
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
