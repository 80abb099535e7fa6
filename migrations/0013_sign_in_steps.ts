/** What was proved in a sign-in that is not finished: not a session, and worth nothing outside its flow. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('sign_in_steps', (table) => {
    table.text('flow').primary();
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('amr').notNullable();
    table.integer('attempts').notNullable();
    table.bigInteger('auth_time').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['account_id']);
    table.index(['expires_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
