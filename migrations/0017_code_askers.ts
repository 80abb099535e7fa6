/** Which known device asked for a mailed code (its share is its own), and how long the code is; empty in rows of before:
 * a stranger, six digits. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('challenges', (table) => {
    table.text('device');
    table.integer('digits');
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
