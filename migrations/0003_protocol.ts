/**
 * What lives long in the protocol: clients, browser sessions, grants, refresh tokens; and the short-lived artifacts
 * of the SQL backend. Identifiers of tokens and sessions are stored as a time prefix and their hash, payloads sealed.
 */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('clients', (table) => {
    table.text('client_id').primary();
    table.text('name').notNullable();
    table.text('metadata').notNullable();
    table.text('secret');
    table.text('source').notNullable();
    table.integer('enabled').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('updated_at').notNullable();
  });
  await knex.schema.createTable('sessions', (table) => {
    table.text('id').primary();
    // Not unique: overlapping tabs make two rows of one session for a moment.
    table.text('uid').notNullable();
    table.text('account_id').references('accounts.id').onDelete('CASCADE');
    table.text('payload').notNullable();
    table.text('ip');
    table.text('user_agent');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('last_seen_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['uid']);
    table.index(['account_id', 'created_at']);
    table.index(['expires_at']);
  });
  await knex.schema.createTable('grants', (table) => {
    table.text('id').primary();
    table.text('account_id').references('accounts.id').onDelete('CASCADE');
    table.text('client_id').notNullable();
    table.text('session_uid');
    table.text('payload').notNullable();
    table.bigInteger('offline_until').notNullable();
    table.text('ip');
    table.text('user_agent');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('last_seen_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['account_id', 'created_at']);
    table.index(['session_uid']);
    table.index(['client_id']);
    table.index(['expires_at']);
  });
  // What was ended stays ended, whatever a request that was under way writes afterwards.
  await knex.schema.createTable('tombstones', (table) => {
    table.text('id').primary();
    table.bigInteger('expires_at').notNullable();
    table.index(['expires_at']);
  });
  await knex.schema.createTable('consents', (table) => {
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('client_id').notNullable();
    table.text('granted').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('updated_at').notNullable();
    table.primary(['account_id', 'client_id']);
  });
  await knex.schema.createTable('refresh_tokens', (table) => {
    table.text('id').primary();
    table.text('grant_id').notNullable();
    table.text('account_id');
    table.text('client_id').notNullable();
    table.text('payload').notNullable();
    table.bigInteger('consumed_at');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['grant_id']);
    table.index(['account_id']);
    table.index(['expires_at']);
  });
  await knex.schema.createTable('artifacts', (table) => {
    table.text('id').primary();
    table.text('kind').notNullable();
    table.text('payload').notNullable();
    table.text('grant_id');
    table.text('user_code');
    table.bigInteger('consumed_at');
    table.bigInteger('expires_at').notNullable();
    table.index(['grant_id']);
    table.unique(['user_code']);
    table.index(['expires_at']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
