/** The longest life of the tokens that a signing key may have signed, in milliseconds; null while nobody has noted it.
 * And what a lane of the outbox has to do next, whatever waits in the others. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('signing_keys', (table) => {
    table.bigInteger('token_life');
  });
  await knex.schema.alterTable('outbox', (table) => {
    table.index(['kind', 'state', 'due_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
