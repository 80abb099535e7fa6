/**
 * Who lost every second factor and waits until they may be removed: at most one row an account. After the removal the
 * row stays for the day on which address, factors and account can't be changed. Times are milliseconds since 1970.
 */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('factor_recoveries', (table) => {
    table.text('id').primary();
    table.text('account_id').notNullable().unique().references('accounts.id').onDelete('CASCADE');
    table.bigInteger('requested_at').notNullable();
    table.bigInteger('ends_at').notNullable();
    table.bigInteger('reminded_at');
    table.bigInteger('finished_at');
    table.index(['ends_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
