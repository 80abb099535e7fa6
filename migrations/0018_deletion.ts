/**
 * Accounts that are on the way out (`delete_after`, status `closed`), and the erasure of what the record holds of a
 * person: such a row keeps its hash and its place in the chain, and `erased` is a second hash over what is left.
 */
import type { Knex } from 'knex';

const KEPT = ['id', 'at', 'type', 'outcome', 'account_id', 'client_id', 'session_id', 'via', 'mac'];
const BLANKED = ['ip', 'user_agent', 'request_id', 'details'];

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('accounts', (table) => {
    table.bigInteger('delete_after');
  });
  await knex.raw('CREATE INDEX accounts_delete_after ON accounts (delete_after) WHERE delete_after IS NOT NULL');
  await knex.schema.alterTable('audit_events', (table) => {
    table.text('erased');
  });
  const postgres = knex.client.config.client === 'pg';
  const same = (columns: string[]) =>
    columns.map((column) => `NEW.${column} IS NOT DISTINCT FROM OLD.${column}`).join(' AND ');
  const sealing = `OLD.seq IS NULL AND NEW.seq IS NOT NULL AND ${same([...KEPT, ...BLANKED, 'erased'])}`;
  const blank = `NEW.ip IS NULL AND NEW.user_agent IS NULL AND NEW.request_id IS NULL AND NEW.details = '{"erased":true}'`;
  const erasing = `OLD.erased IS NULL AND NEW.erased IS NOT NULL AND ${blank} AND ${same([...KEPT, 'seq', 'chain'])}`;
  const refused = `NOT ((${sealing}) OR (${erasing}))`;
  await knex.raw(`DROP TRIGGER audit_events_change${postgres ? ' ON audit_events' : ''}`);
  await knex.raw(
    postgres
      ? `CREATE TRIGGER audit_events_change BEFORE UPDATE ON audit_events FOR EACH ROW WHEN (${refused})
           EXECUTE FUNCTION audit_refuse()`
      : `CREATE TRIGGER audit_events_change BEFORE UPDATE ON audit_events WHEN ${refused}
           BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
  );
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
