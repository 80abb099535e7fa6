/** At most one key of an algorithm signs, and at most one is the next: of two processes that rotate, one does. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  // Two instances that started for the first time at once may both have made one; the newest signed.
  await knex.raw(
    `UPDATE signing_keys SET state = 'retired', retired_at = ?
     WHERE state = 'active' AND EXISTS (
       SELECT 1 FROM signing_keys AS newer WHERE newer.alg = signing_keys.alg AND newer.state = 'active'
       AND (newer.created_at > signing_keys.created_at
            OR (newer.created_at = signing_keys.created_at AND newer.kid < signing_keys.kid)))`,
    [Date.now()],
  );
  await knex.raw(
    "CREATE UNIQUE INDEX signing_keys_one_of_a_state ON signing_keys (alg, state) WHERE state IN ('active', 'next')",
  );
}

export async function down(): Promise<void> {
  throw new Error('migrations go forward only');
}
