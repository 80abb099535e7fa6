/** Passkeys of accounts, and what is kept of a person beside them: the handle that authenticators know, the offer. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('passkeys', (table) => {
    table.text('id').primary();
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    // WebAuthn section 7.1: no two accounts share one.
    table.text('credential_id').notNullable().unique();
    table.text('public_key').notNullable();
    table.bigInteger('counter').notNullable();
    table.text('aaguid').notNullable();
    table.text('transports').notNullable();
    table.integer('backup_eligible').notNullable();
    table.integer('backed_up').notNullable();
    table.text('name').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('last_used_at');
    table.index(['account_id']);
  });
  await knex.schema.createTable('passkey_owners', (table) => {
    table.text('account_id').primary().references('accounts.id').onDelete('CASCADE');
    table.text('user_handle').notNullable().unique();
    table.bigInteger('offer_again_at').notNullable();
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
