/** A client's own tokens have no grant: this index has only those that do. The old one leaves in a migration of its own,
 * when this one has let the table go. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('CREATE INDEX artifacts_granted_index ON artifacts (grant_id) WHERE grant_id IS NOT NULL');
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
