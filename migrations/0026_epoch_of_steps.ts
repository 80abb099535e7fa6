/** Which `accounts.signed_out_at` a sign-in under way began with; null for one of before, which is deleted at its end. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('sign_in_steps', (table) => {
    table.bigInteger('epoch');
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
