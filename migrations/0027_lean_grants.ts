/** Nobody looks for grants by client. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('grants', (table) => {
    table.dropIndex(['client_id']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
