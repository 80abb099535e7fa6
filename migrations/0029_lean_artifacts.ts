/** What 0028 took the place of. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('artifacts', (table) => {
    table.dropIndex(['grant_id']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
