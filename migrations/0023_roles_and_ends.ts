/** Which roles an account has (what roles there are is in the configuration file; names here mean nothing else), when a
 * session was used again after a rest, and when an account was signed out everywhere. Times are milliseconds since 1970. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('account_roles', (table) => {
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('role').notNullable();
    table.bigInteger('since').notNullable();
    table.primary(['account_id', 'role']);
  });
  await knex.schema.alterTable('sessions', (table) => {
    table.bigInteger('rested_at').notNullable().defaultTo(0);
  });
  await knex.schema.alterTable('accounts', (table) => {
    table.bigInteger('signed_out_at').notNullable().defaultTo(0);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
