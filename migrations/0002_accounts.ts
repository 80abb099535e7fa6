/** People, and the one-time codes and links that were mailed to them. Times are milliseconds since 1970. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('accounts', (table) => {
    table.text('id').primary();
    table.text('email').notNullable();
    table.text('email_canonical').notNullable().unique();
    table.bigInteger('email_verified_at');
    table.text('password_hash');
    table.bigInteger('password_changed_at');
    table.text('status').notNullable();
    for (const column of ['name', 'given_name', 'family_name', 'preferred_username', 'picture', 'locale', 'zoneinfo']) {
      table.text(column);
    }
    table.text('phone_number');
    table.text('address');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('updated_at').notNullable();
  });
  await knex.schema.createTable('challenges', (table) => {
    table.text('id').primary();
    table.text('purpose').notNullable();
    table.text('flow').notNullable();
    table.text('account_id').references('accounts.id').onDelete('CASCADE');
    table.text('sent_to').notNullable();
    table.text('mac').notNullable();
    table.text('data');
    table.integer('attempts').notNullable();
    table.integer('max_attempts').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.bigInteger('consumed_at');
    table.index(['flow', 'purpose', 'created_at']);
    table.index(['sent_to', 'purpose', 'created_at']);
    table.index(['account_id']);
    table.index(['expires_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
