/**
 * Each index of a table costs something at every write of a token. Nobody looks for refresh tokens by account or for
 * grants by client; most artifacts have no user code, and a client's own tokens no grant.
 */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('refresh_tokens', (table) => {
    table.dropIndex(['account_id']);
  });
  await knex.schema.alterTable('grants', (table) => {
    table.dropIndex(['client_id']);
  });
  await knex.schema.alterTable('artifacts', (table) => {
    table.dropIndex(['grant_id']);
    table.dropUnique(['user_code']);
  });
  for (const [index, column] of [
    ['INDEX artifacts_grant_id_index', 'grant_id'],
    ['UNIQUE INDEX artifacts_user_code_unique', 'user_code'],
  ]) {
    await knex.raw(`CREATE ${index} ON artifacts (${column}) WHERE ${column} IS NOT NULL`);
  }
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
