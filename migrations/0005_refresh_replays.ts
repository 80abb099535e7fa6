/** The answer to a refresh that rotated, kept sealed for the replay window, so that a repetition gets it again. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('refresh_replays', (table) => {
    // The stored identifier of the spent refresh token.
    table.text('id').primary();
    table.text('grant_id').notNullable();
    table.text('answer').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['grant_id']);
    table.index(['expires_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
