/** What a lane of the outbox has to do next, whatever waits in the others. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('outbox', (table) => {
    table.index(['kind', 'state', 'due_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
