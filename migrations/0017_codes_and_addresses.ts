/** Which known device asked for a mailed code (its share is its own), and how long the code is; empty in rows of before:
 * a stranger, six digits. And the networks that the operator blocks, or allows beyond the limits. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('challenges', (table) => {
    table.text('device');
    table.integer('digits');
  });
  await knex.schema.createTable('address_rules', (table) => {
    table.text('network').primary();
    table.text('verdict').notNullable();
    table.text('reason').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at');
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
