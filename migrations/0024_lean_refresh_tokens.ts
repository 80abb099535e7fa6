/** Nobody looks for refresh tokens by account, and each index costs something at every refresh. One table a migration: an
 * index is dropped under a lock that stops the table's readers, and two such locks could wait for each other. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('refresh_tokens', (table) => {
    table.dropIndex(['account_id']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
