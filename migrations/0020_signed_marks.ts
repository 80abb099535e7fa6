/** Checkpoints and cuts of the record carry a signature that a public key checks; those written before have none. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  for (const name of ['audit_checkpoints', 'audit_cuts']) {
    await knex.schema.alterTable(name, (table) => {
      table.text('jws');
    });
  }
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
