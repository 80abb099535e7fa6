/** Work that must happen after a commit, at least once: today mail, later logout notices and webhooks. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('outbox', (table) => {
    table.text('id').primary();
    table.text('kind').notNullable();
    table.text('state').notNullable();
    table.text('payload').notNullable();
    table.integer('attempts').notNullable();
    table.text('last_error');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('due_at').notNullable();
    table.bigInteger('leased_until').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['state', 'due_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
