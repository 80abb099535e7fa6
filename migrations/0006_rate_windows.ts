/** Counters of requests by source and action, in fixed windows of which two make a sliding one. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('rate_windows', (table) => {
    table.text('id').primary();
    table.bigInteger('hits').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['expires_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
