/** Most artifacts have no user code, and a client's own tokens no grant: these indexes have only those that do. The old ones
 * leave in a migration of their own, when this one has let the table go. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('CREATE INDEX artifacts_granted_index ON artifacts (grant_id) WHERE grant_id IS NOT NULL');
  await knex.raw(
    'CREATE UNIQUE INDEX artifacts_user_coded_unique ON artifacts (user_code) WHERE user_code IS NOT NULL',
  );
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
