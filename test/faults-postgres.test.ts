/** PostgreSQL goes away and comes back, a few times; `npm run proofs` has more. */
import { proofs } from './proofs/postgres.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
