/** The longest life of the tokens that a signing key may have signed, in milliseconds; null while nobody has noted it. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('signing_keys', (table) => {
    table.bigInteger('token_life');
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
