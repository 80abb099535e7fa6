/** What a volatile store in front of the artifacts must not forget: an artifact that was ended, and when a value was
 * written, so that the newer of two versions is known. Empty in rows of before. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('artifacts', (table) => {
    table.bigInteger('written_at');
    table.bigInteger('ended_at');
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
