/** Which roles an account has. What roles there are is in the configuration file; names here mean nothing else. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('account_roles', (table) => {
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('role').notNullable();
    // Milliseconds since 1970.
    table.bigInteger('since').notNullable();
    table.primary(['account_id', 'role']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
