/** Authenticator apps (RFC 6238), those that are being set up, and recovery codes. Secrets are sealed, codes are hashes. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('totp_setups', (table) => {
    table.text('id').primary();
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    // Who is setting it up: a sign-in, a session or a call. Nobody else is shown its secret.
    table.text('holder').notNullable();
    table.text('secret').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.unique(['account_id', 'holder']);
    table.index(['expires_at']);
  });
  await knex.schema.createTable('totps', (table) => {
    table.text('id').primary();
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('name');
    table.text('secret').notNullable();
    // The newest time step of which a code was accepted; it only grows.
    table.bigInteger('last_step').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('last_used_at');
    table.index(['account_id']);
  });
  await knex.schema.createTable('recovery_codes', (table) => {
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('mac').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('used_at');
    table.primary(['account_id', 'mac']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
