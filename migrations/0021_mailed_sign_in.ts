/** Browsers that skip an account's second step for a time, and mailed sign-ins that another browser confirmed. Times are
 * milliseconds since 1970. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('remembered_devices', (table) => {
    table.text('id').primary();
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('mac').notNullable().unique();
    table.text('user_agent');
    table.text('ip');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('last_used_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['account_id']);
    table.index(['expires_at']);
  });
  await knex.schema.alterTable('challenges', (table) => {
    table.bigInteger('confirmed_at');
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
