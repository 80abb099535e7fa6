/** Failed proofs of an account: by source, by device, and of all unknown sources together. Keyed by a hash of the
 * address, so that addresses without an account have rows, too. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('attempts', (table) => {
    table.text('id').primary();
    table.text('subject').notNullable();
    table.bigInteger('failures').notNullable();
    table.bigInteger('last_at').notNullable();
    table.bigInteger('next_at').notNullable();
    table.bigInteger('told_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['subject']);
    table.index(['expires_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
