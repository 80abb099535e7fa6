/** Two of proofs/once.proof.ts, once each: two workers on SQLite, two instances on PostgreSQL with Redis. `npm run proofs` has all. */
import { onRedis, workers } from './proofs/once.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(workers, onRedis);
