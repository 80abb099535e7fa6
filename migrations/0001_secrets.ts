/** Random data keys, one a purpose, wrapped by the key-encryption key; and the keys that sign tokens. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('data_keys', (table) => {
    table.text('purpose').primary();
    table.text('wrapped').notNullable();
    table.bigInteger('created_at').notNullable();
  });
  await knex.schema.createTable('signing_keys', (table) => {
    table.text('kid').primary();
    table.text('alg').notNullable();
    table.text('state').notNullable();
    table.text('public_jwk').notNullable();
    table.text('private_jwk').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('activated_at');
    table.bigInteger('retired_at');
    table.index(['state', 'alg']);
  });
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
