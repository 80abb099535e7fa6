/** The races of proofs/once.proof.ts, once each: two workers on SQLite, two instances on PostgreSQL, with Redis and without.
 * `npm run proofs` has more rounds. */
import { onPostgres, onRedis, workers } from './proofs/once.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(workers, onPostgres, onRedis);
